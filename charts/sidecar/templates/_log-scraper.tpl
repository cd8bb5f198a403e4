{{/* The log scraper's container. */}}

{{- define "sidecar.logScraperContainer" -}}
{{- $scraper := .Values.logScraper -}}
{{- include "sidecar.containerHead" (dict "root" . "values" $scraper "name" "log-scraper") }}
{{- if .Values.nativeSidecars }}
restartPolicy: Always
{{- end }}
args:
  {{- $scraper.args | default (include "sidecar.logScraperArgs" . | fromJsonArray) | toYaml | nindent 2 }}
{{- with $scraper.env }}
env:
  {{- toYaml . | nindent 2 }}
{{- end }}
ports:
  - name: scraper-admin
    containerPort: {{ int $scraper.adminPort }}
    protocol: TCP
{{- $live := dict "httpGet" (dict "path" "/livez" "port" "scraper-admin") }}
{{- include "sidecar.probes" (dict "path" "logScraper" "given" $scraper.probes "startup" $live "liveness" $live) }}
{{- if not .Values.nativeSidecars }}
{{- /* A plain container is told to end with the pod: it has to outlast the application to see its last lines. */}}
lifecycle:
  preStop:
    sleep:
      seconds: {{ add .Values.drainSeconds 2 }}
{{- end }}
volumeMounts:
  - name: logs
    mountPath: {{ include "sidecar.logFolder" . | quote }}
    readOnly: true
  - name: checkpoint
    mountPath: /var/lib/log-scraper
{{- with $scraper.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Arguments, as JSON. */}}
{{- define "sidecar.logScraperArgs" -}}
{{- $args := list
  "--checkpoint-file=/var/lib/log-scraper/checkpoint"
  (printf "--admin-listen=:%d" (int .Values.logScraper.adminPort)) -}}
{{- with .Values.logScraper -}}
{{- if eq .format "json" -}}
{{- $args = append $args "--format=json" -}}
{{- if ne .jsonLines "nest" }}{{ $args = append $args (printf "--json-lines=%s" .jsonLines) }}{{ end -}}
{{- if ne .multiline "off" }}{{ $args = append $args (printf "--multiline=%s" .multiline) }}{{ end -}}
{{- else if .prefix -}}
{{- $args = append $args "--prefix" -}}
{{- end -}}
{{- end -}}
{{- concat $args (.Values.logScraper.extraArgs | default list) (include "sidecar.logPaths" . | fromJsonArray) | toJson -}}
{{- end -}}

{{/* Files that are followed, as JSON. */}}
{{- define "sidecar.logPaths" -}}
{{- .Values.logScraper.paths | default (list .Values.app.logPath) | toJson -}}
{{- end -}}
