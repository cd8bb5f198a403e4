{{/*
What a parent chart takes the sidecars into its own pods by, with its subchart as the context:

  {{ include "sidecar.initContainers" .Subcharts.sidecar }}

Each is list items, or with sidecars of the other kind nothing. "sidecar.podAnnotations",
"sidecar.gracePeriod" and "sidecar.volumes" belong to them.
*/}}

{{/* The sidecars that are native ones. */}}
{{- define "sidecar.initContainers" -}}
{{- include "sidecar.sidecars" (list . "true") | trim -}}
{{- end -}}

{{/* The sidecars that are plain containers. */}}
{{- define "sidecar.containers" -}}
{{- include "sidecar.sidecars" (list . "") | trim -}}
{{- end -}}

{{/* Mounts of the container that writes the log files. */}}
{{- define "sidecar.volumeMounts" -}}
{{- include "sidecar.logMounts" (dict "root" .) | trim -}}
{{- end -}}

{{/* Volumes of the log files, of the sidecars, and `extraVolumes`. */}}
{{- define "sidecar.volumes" -}}
{{- include "sidecar.volumeList" . | trim -}}
{{- end -}}
