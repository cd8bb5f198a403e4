{{/* Names, labels and images. The containers and what only they need are in a file each. */}}

{{/* Short name: the chart's, or nameOverride. */}}
{{- define "sidecar.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* Full name. At most 51 characters, so that with "-test-config" it is still a name of 63. */}}
{{- define "sidecar.fullname" -}}
{{- $name := include "sidecar.name" . -}}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- .Values.fullnameOverride | default $full | trunc 51 | trimSuffix "-" -}}
{{- end -}}

{{/* Labels that select the pods. They can never change: a Deployment's selector is immutable. */}}
{{- define "sidecar.selectorLabels" -}}
app.kubernetes.io/name: {{ include "sidecar.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* metadata.labels: dict "root" $ "extra" (labels of that object). The chart's own win. */}}
{{- define "sidecar.labels" -}}
{{- $own := dict
  "helm.sh/chart" (printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63)
  "app.kubernetes.io/version" (.root.Chart.AppVersion | replace "+" "_")
  "app.kubernetes.io/managed-by" .root.Release.Service -}}
{{- $selector := include "sidecar.selectorLabels" .root | fromYaml -}}
{{- merge $own $selector (deepCopy (.extra | default dict)) (.root.Values.labels | default dict) | toYaml -}}
{{- end -}}

{{/* metadata.annotations, with their key, or nothing: dict "root" $ "extra" (those of that object). */}}
{{- define "sidecar.annotations" -}}
{{- with merge (deepCopy (.extra | default dict)) (.root.Values.annotations | default dict) -}}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end -}}
{{- end -}}

{{/* Name of the pods' service account. */}}
{{- define "sidecar.serviceAccountName" -}}
{{- $default := ternary (include "sidecar.fullname" .) "default" .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default $default -}}
{{- end -}}

{{/* Image reference, [registry/]repository:tag[@digest]: dict "root" $ "image" .Values.app.image. */}}
{{- define "sidecar.image" -}}
{{- $registry := (.root.Values.global).imageRegistry | default .image.registry -}}
{{- $tag := .image.tag | default .root.Chart.AppVersion -}}
{{- with $registry }}{{ . | trimSuffix "/" }}/{{ end -}}
{{- printf "%s:%s" .image.repository $tag -}}
{{- with .image.digest }}@{{ . }}{{ end -}}
{{- end -}}

{{/* imagePullSecrets, with their key, or nothing. Names and maps may be mixed; none is given twice. */}}
{{- define "sidecar.imagePullSecrets" -}}
{{- $names := list -}}
{{- range concat ((.Values.global).imagePullSecrets | default list) (.Values.imagePullSecrets | default list) -}}
{{- if kindIs "map" . }}{{ $names = append $names .name }}{{ else }}{{ $names = append $names . }}{{ end -}}
{{- end -}}
{{- with uniq $names -}}
imagePullSecrets:
{{- range . }}
  - name: {{ . | quote }}
{{- end }}
{{- end -}}
{{- end -}}
