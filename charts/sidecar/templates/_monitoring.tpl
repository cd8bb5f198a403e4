{{/* What monitoring needs to know of the sidecars. */}}

{{/* Ports of /metrics of the sidecars that are on, as JSON: name and number. */}}
{{- define "sidecar.adminPorts" -}}
{{- $ports := list -}}
{{- if .Values.proxy.enabled -}}
{{- $ports = append $ports (dict "name" "proxy-admin" "number" (int .Values.proxy.adminPort)) -}}
{{- end -}}
{{- if .Values.logScraper.enabled -}}
{{- $ports = append $ports (dict "name" "scraper-admin" "number" (int .Values.logScraper.adminPort)) -}}
{{- end -}}
{{- toJson $ports -}}
{{- end -}}

{{/* How an endpoint is asked: the values of a monitor. */}}
{{- define "sidecar.scrape" -}}
path: /metrics
{{- with .interval }}
interval: {{ . }}
{{- end }}
{{- with .scrapeTimeout }}
scrapeTimeout: {{ . }}
{{- end }}
{{- with .relabelings }}
relabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .metricRelabelings }}
metricRelabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Alerts of a file, list $ FILE, about this release's pods: `pods` stands there for what selects them. */}}
{{- define "sidecar.alerts" -}}
{{- $root := first . -}}
{{- $pods := printf "namespace=%q, pod=~\"%s(-[0-9a-z]+){1,2}\"" $root.Release.Namespace (include "sidecar.fullname" $root) -}}
{{- $text := regexReplaceAll "(?m)^#.*\n" ($root.Files.Get (last .)) "" -}}
{{- $text | replace "{pods" (printf "{%s" $pods) | trim -}}
{{- end -}}
