{{/* The application's container. */}}

{{- define "sidecar.appContainer" -}}
{{- $app := .Values.app -}}
{{- include "sidecar.containerHead" (dict "root" . "values" $app "name" "app") }}
{{- with $app.command }}
command:
  {{- include "sidecar.yaml" (list $ .) | nindent 2 }}
{{- end }}
{{- with $app.args }}
args:
  {{- include "sidecar.yaml" (list $ .) | nindent 2 }}
{{- end }}
{{- include "sidecar.environment" (dict "root" . "env" (include "sidecar.appEnv" . | fromJsonArray) "envFrom" $app.envFrom) }}
{{- if or $app.ports (not .Values.proxy.enabled) }}
ports:
  {{- if not .Values.proxy.enabled }}
  - name: http
    containerPort: {{ int $app.port }}
    protocol: TCP
  {{- end }}
  {{- with $app.ports }}
  {{- include "sidecar.morePorts" . | trim | nindent 2 }}
  {{- end }}
{{- end }}
{{- /* With the proxy on the application is on loopback, where no probe of the kubelet reaches it. */}}
{{- $readiness := ternary dict (dict "tcpSocket" (dict "port" "http") "periodSeconds" 2) .Values.proxy.enabled }}
{{- include "sidecar.probes" (dict "path" "app" "given" (include "sidecar.appProbes" . | fromJson) "readiness" $readiness) }}
{{- with include "sidecar.appLifecycle" . | fromYaml }}
lifecycle:
  {{- include "sidecar.yaml" (list $ .) | nindent 2 }}
{{- end }}
volumeMounts:
  {{- include "sidecar.volumeMounts" . | nindent 2 }}
{{- with $app.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Environment, as JSON: the user's after the demo's, without what the user names too (a name may stand once). */}}
{{- define "sidecar.appEnv" -}}
{{- $address := ternary "127.0.0.1" "" .Values.proxy.enabled -}}
{{- $env := list
  (dict "name" "HELLO_APP_LISTEN" "value" (printf "%s:%d" $address (int .Values.app.port)))
  (dict "name" "HELLO_APP_LOG_FILE" "value" .Values.app.logPath)
  (dict "name" "HELLO_APP_LOG_MAX_BYTES" "value" (include "sidecar.demoLogBytes" .)) -}}
{{- if not (include "sidecar.isDemo" .) }}{{ $env = list }}{{ end -}}
{{- $names := list -}}
{{- range .Values.app.env }}{{ $names = append $names .name }}{{ end -}}
{{- $merged := list -}}
{{- range $env }}{{ if not (has .name $names) }}{{ $merged = append $merged . }}{{ end }}{{ end -}}
{{- concat $merged (.Values.app.env | default list) | toJson -}}
{{- end -}}

{{/* Lifecycle: the user's hooks, and the sleep that keeps it serving while its endpoint is removed. */}}
{{- define "sidecar.appLifecycle" -}}
{{- $sleep := dict -}}
{{- if gt (int .Values.drainSeconds) 0 -}}
{{- $sleep = dict "preStop" (dict "sleep" (dict "seconds" (int .Values.drainSeconds))) -}}
{{- end -}}
{{- $given := .Values.app.lifecycle | default dict -}}
{{- range $hook := list "postStart" "preStop" -}}
{{- with get $given $hook -}}
{{- include "sidecar.validateHandler" (dict "root" $ "path" (printf "app.lifecycle.%s" $hook) "handler" .) -}}
{{- end -}}
{{- end -}}
{{- $hooks := ternary $given (merge (deepCopy $given) $sleep) (hasKey $given "preStop") -}}
{{- range $hook, $handler := $hooks }}{{ if not $handler }}{{ $hooks = omit $hooks $hook }}{{ end }}{{ end -}}
{{- toYaml $hooks -}}
{{- end -}}

{{/* Folder of the application's log file: where the log volume is mounted. */}}
{{- define "sidecar.logFolder" -}}
{{- dir .Values.app.logPath -}}
{{- end -}}

{{/* Whether the demo application is what runs: "true" or nothing. */}}
{{- define "sidecar.isDemo" -}}
{{- if regexMatch "(^|/)hello-app$" .Values.app.image.repository }}true{{ end -}}
{{- end -}}
