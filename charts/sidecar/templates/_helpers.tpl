{{/* Names, labels and images. The containers and what only they need are in a file each. */}}

{{/* Short name: the chart's (in a parent chart its alias), or nameOverride. */}}
{{- define "sidecar.name" -}}
{{- include "sidecar.shortened" (list (.Values.nameOverride | default .Chart.Name) 63) -}}
{{- end -}}

{{/*
Full name. At most 51 characters, so that with "-test-config" it is still a name of 63. The release's
name stands alone where one of its segments is the chart's; in a parent chart, where two aliases
may each be one, it never does.
*/}}
{{- define "sidecar.fullname" -}}
{{- $name := include "sidecar.name" . -}}
{{- $named := contains (printf "-%s-" $name) (printf "-%s-" .Release.Name) -}}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (and $named .Chart.IsRoot) -}}
{{- include "sidecar.shortened" (list (.Values.fullnameOverride | default $full) 51) -}}
{{- end -}}

{{/* A name of at most so many characters, list NAME LENGTH: a hash of all of it stands for what is cut off. */}}
{{- define "sidecar.shortened" -}}
{{- $name := first . -}}
{{- if gt (len $name) (last .) -}}
{{- $name = printf "%s-%s" (trunc (sub (last .) 9 | int) $name | trimAll "-.") (sha256sum $name | trunc 8) -}}
{{- end -}}
{{- $name -}}
{{- end -}}

{{/* Labels that select the pods. They can never change: a Deployment's selector is immutable. */}}
{{- define "sidecar.selectorLabels" -}}
{{- dict "app.kubernetes.io/name" (include "sidecar.name" .) "app.kubernetes.io/instance" .Release.Name | toYaml -}}
{{- end -}}

{{/*
metadata of an object: dict "root" $ and, where they differ, "name" (the full one), "labels" and
"annotations" (those of that object).
*/}}
{{- define "sidecar.metadata" -}}
name: {{ .name | default (include "sidecar.fullname" .root) | quote }}
namespace: {{ .root.Release.Namespace | quote }}
labels:
  {{- include "sidecar.labels" (dict "root" .root "extra" .labels) | nindent 2 }}
{{- with merge (include "sidecar.map" (list .root .annotations) | fromJson) (include "sidecar.map" (list .root .root.Values.annotations) | fromJson) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* metadata.labels: dict "root" $ "extra" (labels of that object). The chart's own win. */}}
{{- define "sidecar.labels" -}}
{{- $own := dict
  "helm.sh/chart" (printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63 | trimAll "-._")
  "app.kubernetes.io/version" (.root.Chart.AppVersion | toString | replace "+" "_" | trunc 63 | trimAll "-._")
  "app.kubernetes.io/managed-by" .root.Release.Service -}}
{{- $selector := include "sidecar.selectorLabels" .root | fromYaml -}}
{{- merge $own $selector (include "sidecar.map" (list .root .extra) | fromJson) (include "sidecar.map" (list .root .root.Values.labels) | fromJson) | toYaml -}}
{{- end -}}

{{/* Name of the pods' service account. */}}
{{- define "sidecar.serviceAccountName" -}}
{{- $default := ternary (include "sidecar.fullname" .) "default" .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default $default -}}
{{- end -}}

{{/* Image reference, [registry/]repository:tag[@digest]: dict "root" $ "image" .Values.app.image. */}}
{{- define "sidecar.image" -}}
{{- $registry := (.root.Values.global).imageRegistry | default .image.registry -}}
{{- $tag := include "sidecar.tag" .image.tag | default .root.Chart.AppVersion -}}
{{- with $registry }}{{ . | trimSuffix "/" }}/{{ end -}}
{{- printf "%s:%s" .image.repository $tag -}}
{{- with .image.digest }}@{{ . }}{{ end -}}
{{- end -}}

{{/* A tag as text: one of digits alone, unquoted, has come as a number. */}}
{{- define "sidecar.tag" -}}
{{- if kindIs "float64" . }}{{ printf "%.0f" . }}{{ else }}{{ . }}{{ end -}}
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
