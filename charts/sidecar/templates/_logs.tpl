{{/* The log files, and the volumes that they are in. */}}

{{/* Files that the application writes, as JSON. */}}
{{- define "sidecar.appLogPaths" -}}
{{- prepend (.Values.app.logPaths | default list) .Values.app.logPath | toJson -}}
{{- end -}}

{{/* Files that are followed, as JSON. */}}
{{- define "sidecar.logPaths" -}}
{{- .Values.logScraper.paths | default (include "sidecar.appLogPaths" . | fromJsonArray) | toJson -}}
{{- end -}}

{{/* Volumes of the log files, as JSON: name and folder. A folder within another has that one's. */}}
{{- define "sidecar.logVolumes" -}}
{{- $folders := list -}}
{{- range include "sidecar.appLogPaths" . | fromJsonArray }}{{ $folders = append $folders (dir .) }}{{ end -}}
{{- $folders = uniq $folders -}}
{{- $volumes := list -}}
{{- range $folder := $folders -}}
{{- $within := false -}}
{{- range $folders }}{{ if hasPrefix (printf "%s/" .) $folder }}{{ $within = true }}{{ end }}{{ end -}}
{{- if not $within -}}
{{- $name := ternary "logs" (printf "logs-%d" (len $volumes)) (empty $volumes) -}}
{{- $volumes = append $volumes (dict "name" $name "folder" $folder) -}}
{{- end -}}
{{- end -}}
{{- toJson $volumes -}}
{{- end -}}

{{/* Mounts of them: dict "root" $ "readOnly" (whether they can only be read). */}}
{{- define "sidecar.logMounts" -}}
{{- $readOnly := .readOnly -}}
{{- range include "sidecar.logVolumes" .root | fromJsonArray }}
- name: {{ .name }}
  mountPath: {{ .folder | quote }}
  {{- if $readOnly }}
  readOnly: true
  {{- end }}
{{- end }}
{{- end -}}

{{/* The demo rotates at an eighth of the volume, so that its file and three older ones are half of it. */}}
{{- define "sidecar.demoLogBytes" -}}
{{- divf (include "sidecar.quantity" (.Values.logs.sizeLimit | default "64Mi") | float64) 8 | max 4096 | printf "%d" -}}
{{- end -}}

{{/* A path outside every mount of the log scraper would wait for its file for ever. */}}
{{- define "sidecar.validateLogPaths" -}}
{{- if and .Values.logScraper.enabled (not .Values.logScraper.args) -}}
{{- $folders := list -}}
{{- range include "sidecar.logVolumes" . | fromJsonArray }}{{ $folders = append $folders .folder }}{{ end -}}
{{- range .Values.logScraper.extraVolumeMounts -}}
{{- $folders = append $folders (.mountPath | trimSuffix "/") -}}
{{- end -}}
{{- range $path := include "sidecar.logPaths" . | fromJsonArray -}}
{{- $mounted := false -}}
{{- range $folders }}{{ if hasPrefix (printf "%s/" .) $path }}{{ $mounted = true }}{{ end }}{{ end -}}
{{- if not $mounted -}}
{{- fail (printf "logScraper.paths: %s is outside %s: name files there, or mount its folder by logScraper.extraVolumeMounts" $path (join " and " $folders)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
