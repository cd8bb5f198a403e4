{{/*
What a parent chart takes the sidecars into its own pods by, with its subchart as the context:

  {{ include "sidecar.initContainers" .Subcharts.sidecar }}

Each is list items, or with sidecars of the other kind nothing. "sidecar.podAnnotations",
"sidecar.gracePeriod" and "sidecar.volumes" belong to them.
*/}}

{{/* The sidecars, where they are native ones. */}}
{{- define "sidecar.initContainers" -}}
{{- if .Values.nativeSidecars }}{{ include "sidecar.sidecars" . | trim }}{{ end -}}
{{- end -}}

{{/* The sidecars, where they are plain containers. */}}
{{- define "sidecar.containers" -}}
{{- if not .Values.nativeSidecars }}{{ include "sidecar.sidecars" . | trim }}{{ end -}}
{{- end -}}

{{/* Mounts of the container that writes the log files. */}}
{{- define "sidecar.volumeMounts" -}}
{{- include "sidecar.logMounts" (dict "root" .) | trim -}}
{{- end -}}

{{/* Volumes of the log files, of the sidecars, and `extraVolumes`. */}}
{{- define "sidecar.volumes" -}}
{{- include "sidecar.volumeList" . | trim -}}
{{- end -}}
