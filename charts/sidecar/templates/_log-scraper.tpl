{{/* The log scraper's container. */}}

{{- define "sidecar.logScraperContainer" -}}
{{- $scraper := .Values.logScraper -}}
{{- include "sidecar.containerHead" (dict "root" . "values" $scraper "name" "log-scraper") }}
{{- $native := include "sidecar.isNative" (list . $scraper) }}
{{- if $native }}
restartPolicy: Always
{{- end }}
args:
  {{- include "sidecar.yaml" (list . ($scraper.args | default (include "sidecar.logScraperArgs" . | fromJsonArray))) | nindent 2 }}
{{- include "sidecar.environment" (dict "root" . "env" $scraper.env "envFrom" $scraper.envFrom) }}
ports:
  - name: scraper-admin
    containerPort: {{ int $scraper.adminPort }}
    protocol: TCP
{{- $live := dict "httpGet" (dict "path" "/livez" "port" "scraper-admin") }}
{{- include "sidecar.probes" (dict "path" "logScraper" "given" $scraper.probes "startup" $live "liveness" $live) }}
{{- /* A plain container is told to end with the pod: it has to outlast the application to see its last lines. */}}
{{- $outlast := dict "preStop" (dict "sleep" (dict "seconds" (add (include "sidecar.times" . | fromJson).drain 2))) }}
{{- include "sidecar.lifecycle" (dict "given" $scraper.lifecycle "own" (ternary dict $outlast (not (empty $native)))) }}
volumeMounts:
  {{- /* It changes nothing there unless it is asked to give disk space back. */}}
  {{- $gives := or $scraper.removeRotated $scraper.reclaim }}
  {{- include "sidecar.logMounts" (dict "root" . "readOnly" (not $gives)) | trim | nindent 2 }}
  - name: checkpoint
    mountPath: /var/lib/log-scraper
{{- with $scraper.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Arguments, as JSON. */}}
{{- define "sidecar.logScraperArgs" -}}
{{- $scraper := .Values.logScraper -}}
{{- $extra := $scraper.extraArgs | default list -}}
{{- $args := list
  "--checkpoint-file=/var/lib/log-scraper/checkpoint"
  (printf "--admin-listen=:%d" (int $scraper.adminPort)) -}}
{{- if eq $scraper.followSymlinks "all" -}}
{{- $args = append $args "--follow-symlinks=all" -}}
{{- else -}}
{{- /* Links stay within the volume; with paths in several, each path's links stay near it. */}}
{{- $folder := include "sidecar.logFolder" . -}}
{{- $within := true -}}
{{- range $path := include "sidecar.logPaths" . | fromJsonArray -}}
{{- if not (hasPrefix (printf "%s/" $folder) $path) }}{{ $within = false }}{{ end -}}
{{- end -}}
{{- range $extra }}{{ if hasPrefix "--root" . }}{{ $within = false }}{{ end }}{{ end -}}
{{- if $within }}{{ $args = append $args (printf "--root=%s" $folder) }}{{ end -}}
{{- end -}}
{{- range $scraper.exclude }}{{ $args = append $args (printf "--exclude=%s" .) }}{{ end -}}
{{- range $scraper.rotatedGlobs }}{{ $args = append $args (printf "--rotated-glob=%s" .) }}{{ end -}}
{{- if eq $scraper.readFrom "end" }}{{ $args = append $args "--read-from=end" }}{{ end -}}
{{- with $scraper.ignoreOlder }}{{ $args = append $args (printf "--ignore-older=%s" .) }}{{ end -}}
{{- if eq $scraper.checkpointSync "data" }}{{ $args = append $args "--checkpoint-sync=data" }}{{ end -}}
{{- with $scraper.removeRotated -}}
{{- $args = append $args (printf "--remove-rotated=%s" .) -}}
{{- with int $scraper.keepRotated }}{{ $args = append $args (printf "--keep-rotated=%d" .) }}{{ end -}}
{{- end -}}
{{- with $scraper.reclaim }}{{ $args = append $args (printf "--reclaim=%s" .) }}{{ end -}}
{{- with include "sidecar.scraperGracePeriod" . }}{{ $args = append $args (printf "--shutdown-grace-period=%s" .) }}{{ end -}}
{{- with $scraper.exitOnFile }}{{ $args = append $args (printf "--exit-on-file=%s" .) }}{{ end -}}
{{- with .Values.logScraper -}}
{{- if eq .format "json" -}}
{{- $args = append $args "--format=json" -}}
{{- if ne (.jsonLines | default "nest") "nest" }}{{ $args = append $args (printf "--json-lines=%s" .jsonLines) }}{{ end -}}
{{- if ne (.multiline | default "off") "off" }}{{ $args = append $args (printf "--multiline=%s" .multiline) }}{{ end -}}
{{- else if .prefix -}}
{{- $args = append $args "--prefix" -}}
{{- end -}}
{{- end -}}
{{- concat $args $extra (include "sidecar.logPaths" . | fromJsonArray) | toJson -}}
{{- end -}}
