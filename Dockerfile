# The one image, of the manager and of the external processor. It holds nothing
# but our binary, built by `make docker-build` (or `make docker-buildx`) before.
FROM scratch

ARG TARGETARCH
ARG VERSION

LABEL org.opencontainers.image.title="tars-operator" \
      org.opencontainers.image.description="Connects Envoy Gateway to Tetrate Agent Router Service (TARS)" \
      org.opencontainers.image.source="https://github.com/tars-operator/tars-operator" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}"

COPY dist/image/linux_${TARGETARCH}/tars-operator /tars-operator

USER 65532:65532
ENTRYPOINT ["/tars-operator"]
