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

{{/* Labels of every object: the user's and ours, which win. */}}
{{- define "tars-operator.labels" -}}
{{- $ours := dict
  "app.kubernetes.io/name" .Chart.Name
  "app.kubernetes.io/instance" .Release.Name
  "app.kubernetes.io/version" .Chart.AppVersion
  "app.kubernetes.io/managed-by" .Release.Service
  "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-")
}}
{{- merge $ours .Values.commonLabels | toYaml }}
{{- end }}

{{/*
Labels and annotations of an object, from a list of the root and, where there
are any, the object's own labels and annotations, which win over the user's.
*/}}
{{- define "tars-operator.metadata" -}}
{{- $root := index . 0 }}
{{- $labels := dict }}
{{- if gt (len .) 1 }}
{{- $labels = index . 1 }}
{{- end }}
{{- $annotations := dict }}
{{- if gt (len .) 2 }}
{{- $annotations = index . 2 }}
{{- end }}
labels:
  {{- merge dict $labels (include "tars-operator.labels" $root | fromYaml) | toYaml | nindent 2 }}
{{- with merge dict $annotations $root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
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

{{/* Names of references to objects, with commas. */}}
{{- define "tars-operator.names" -}}
{{- $names := list }}
{{- range . }}
{{- $names = append $names .name }}
{{- end }}
{{- join "," $names }}
{{- end }}

{{/* The rules of a role in files/rbac, from a list of the root and the file. */}}
{{- define "tars-operator.rules" -}}
{{- $root := index . 0 }}
{{- $file := printf "files/rbac/%s" (index . 1) }}
{{- $role := $root.Files.Get $file | fromYaml }}
{{- toYaml (dict "rules" (required (printf "%s has no rules" $file) $role.rules)) }}
{{- end }}

{{/*
The manager's rules as two lists. With watchNamespaces, namespaced are those of
a Role in each of them, and clusterWide those that stay a ClusterRole's: what is
in no namespace, and what is in the platform's, where Gateways and Envoys are.
controllers/namespaces.go has the same list.
*/}}
{{- define "tars-operator.managerRules" -}}
{{- $rules := (include "tars-operator.rules" (list . "role.yaml") | fromYaml).rules }}
{{- $clusterWide := list }}
{{- $namespaced := list }}
{{- $everywhere := list "/namespaces" "apiextensions.k8s.io/customresourcedefinitions" "discovery.k8s.io/endpointslices" "gateway.envoyproxy.io/envoyproxies" "gateway.networking.k8s.io/gatewayclasses" "gateway.networking.k8s.io/gateways" }}
{{- range $rule := $rules }}
{{- range $group := $rule.apiGroups }}
{{- range $resource := $rule.resources }}
{{- $one := dict "apiGroups" (list $group) "resources" (list $resource) "verbs" $rule.verbs }}
{{- if has (printf "%s/%s" $group $resource) $everywhere }}
{{- $clusterWide = append $clusterWide $one }}
{{- else }}
{{- $namespaced = append $namespaced $one }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- $clusterWide = append $clusterWide (dict "apiGroups" (list "") "resources" (list "services") "verbs" (list "list" "watch")) }}
{{- toYaml (dict "clusterWide" $clusterWide "namespaced" $namespaced) }}
{{- end }}

{{/* The manager as subject of a binding. */}}
{{- define "tars-operator.subjects" -}}
subjects:
- kind: ServiceAccount
  name: {{ include "tars-operator.serviceAccountName" . }}
  namespace: {{ .Release.Namespace }}
{{- end }}
