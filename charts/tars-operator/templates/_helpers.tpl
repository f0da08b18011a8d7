{{/*
Prefix of every object's name: the release, and the chart where the release is
not named after it. 28 characters leave room for the longest suffix, that of the
metrics Service, in the 63 that a Service may have.
*/}}
{{- define "tars-operator.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride }}
{{- else if contains .Chart.Name .Release.Name }}
{{- .Release.Name | trunc 28 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 28 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* Labels that tell the manager's pods from all others; they never change. */}}
{{- define "tars-operator.selectorLabels" -}}
control-plane: controller-manager
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* Labels of every object. */}}
{{- define "tars-operator.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* Labels of what the Prometheus operator reads: the user's and ours, which win. */}}
{{- define "tars-operator.monitoringLabels" -}}
{{- merge (include "tars-operator.labels" . | fromYaml) .Values.prometheus.labels | toYaml }}
{{- end }}

{{/* The ServiceAccount that the manager runs as. */}}
{{- define "tars-operator.serviceAccountName" -}}
{{- if and (not .Values.serviceAccount.enabled) (not .Values.serviceAccount.name) }}
{{- fail "serviceAccount.enabled is false and serviceAccount.name is empty: name the ServiceAccount that the manager shall run as" }}
{{- end }}
{{- default (printf "%s-controller-manager" (include "tars-operator.fullname" .)) .Values.serviceAccount.name }}
{{- end }}

{{/*
An image's reference, from a dict of registry, repository, tag and digest; path
is where the values are, for the error's text.
*/}}
{{- define "tars-operator.imageReference" -}}
{{- $host := splitList "/" .repository | first }}
{{- if and .registry (contains "/" .repository) (or (regexMatch "[.:]" $host) (eq $host "localhost")) }}
{{- fail (printf "%s.repository begins with a registry (%s): put that into %s.registry" .path $host .path) }}
{{- end }}
{{- with .registry }}{{ . }}/{{ end }}
{{- .repository }}
{{- with .tag }}:{{ . }}{{ end }}
{{- with .digest }}@{{ . }}{{ end }}
{{- end }}

{{/* The manager's image. */}}
{{- define "tars-operator.image" -}}
{{- $image := .Values.manager.image }}
{{- $tag := $image.tag }}
{{- if not (or $tag $image.digest) }}
{{- $tag = .Chart.AppVersion }}
{{- end }}
{{- include "tars-operator.imageReference" (dict "path" "manager.image" "registry" $image.registry "repository" $image.repository "tag" $tag "digest" $image.digest) }}
{{- end }}

{{/*
The external processor's image: what it leaves empty is the manager's. Tag and
digest go together, or a tag of one would stand beside a digest of the other.
*/}}
{{- define "tars-operator.extProcImage" -}}
{{- $own := .Values.extProc.image }}
{{- $manager := .Values.manager.image }}
{{- $from := ternary $own $manager (or $own.tag $own.digest | not | not) }}
{{- $tag := $from.tag }}
{{- if not (or $tag $from.digest) }}
{{- $tag = .Chart.AppVersion }}
{{- end }}
{{- include "tars-operator.imageReference" (dict "path" "extProc.image" "registry" (default $manager.registry $own.registry) "repository" (default $manager.repository $own.repository) "tag" $tag "digest" $from.digest) }}
{{- end }}

{{/* The rules of a role in files/rbac, from a list of the root and the file. */}}
{{- define "tars-operator.rules" -}}
{{- $root := index . 0 }}
{{- $file := printf "files/rbac/%s" (index . 1) }}
{{- $role := $root.Files.Get $file | fromYaml }}
{{- toYaml (dict "rules" (required (printf "%s has no rules" $file) $role.rules)) }}
{{- end }}

{{/* The manager as subject of a binding. */}}
{{- define "tars-operator.subjects" -}}
subjects:
- kind: ServiceAccount
  name: {{ include "tars-operator.serviceAccountName" . }}
  namespace: {{ .Release.Namespace }}
{{- end }}
