{{/* The proxy's container. */}}

{{- define "sidecar.proxyContainer" -}}
{{- $proxy := .Values.proxy -}}
{{- include "sidecar.containerHead" (dict "root" . "values" $proxy "name" "proxy") }}
{{- $native := include "sidecar.isNative" (list . $proxy) }}
{{- if $native }}
restartPolicy: Always
{{- end }}
args:
  {{- include "sidecar.yaml" (list . ($proxy.args | default (include "sidecar.proxyArgs" . | fromJsonArray))) | nindent 2 }}
{{- include "sidecar.environment" (dict "root" . "env" (include "sidecar.proxyEnv" . | fromJsonArray) "envFrom" $proxy.envFrom) }}
ports:
  - name: http
    containerPort: {{ int $proxy.port }}
    protocol: TCP
  - name: proxy-admin
    containerPort: {{ int $proxy.adminPort }}
    protocol: TCP
  {{- with $proxy.ports }}
  {{- include "sidecar.morePorts" . | trim | nindent 2 }}
  {{- end }}
{{- /*
The application starts after a startup probe, so only readiness may ask about the upstream. It waits for
the first time ready, which the kubelet, whose shortest period is a second, would hear of later.
*/}}
{{- $live := dict "httpGet" (dict "path" "/livez" "port" "proxy-admin") }}
{{- $ready := dict "httpGet" (dict "path" "/readyz?wait" "port" "proxy-admin") }}
{{- include "sidecar.probes" (dict "path" "proxy" "given" $proxy.probes "startup" $live "readiness" $ready "liveness" $live) }}
{{- /* Runs as soon as the pod is to end, beside the application's; SIGTERM comes after the application. */}}
{{- $drain := dict "preStop" (dict "exec" (dict "command" (list "/proxy" "-s" "drain"))) }}
{{- include "sidecar.lifecycle" (dict "given" $proxy.lifecycle "own" (ternary $drain dict (not (empty $native)))) }}
volumeMounts:
  - name: proxy-config
    mountPath: /etc/nginx
    readOnly: true
{{- if $proxy.lastGood }}
  - name: last-good
    mountPath: /var/lib/proxy
{{- end }}
{{- with $proxy.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Environment, as JSON: what the template of the default configuration asks for, then the user's. */}}
{{- define "sidecar.proxyEnv" -}}
{{- $own := list
  (dict "name" "PROXY_PORT" "value" (.Values.proxy.port | int | toString))
  (dict "name" "APP_PORT" "value" (.Values.app.port | int | toString)) -}}
{{- concat $own (.Values.proxy.env | default list) | toJson -}}
{{- end -}}

{{/* What is left of a container that only tests the configuration, and has its volume at hand. */}}
{{- define "sidecar.proxyTest" -}}
args: [-t, -c, /etc/nginx/nginx.conf, "--expect-listen={{ int .Values.proxy.port }}"]
{{- include "sidecar.environment" (dict "root" . "env" (include "sidecar.proxyEnv" . | fromJsonArray) "envFrom" .Values.proxy.envFrom) }}
volumeMounts:
  - name: proxy-config
    mountPath: /etc/nginx
    readOnly: true
{{- end -}}

{{/*
Arguments, as JSON. What is left of the grace period after the application's sleep, less five seconds
for the log scraper, is the longest that the proxy waits for its open connections.
*/}}
{{- define "sidecar.proxyArgs" -}}
{{- $times := include "sidecar.times" . | fromJson -}}
{{- $args := list
  "-c" "/etc/nginx/nginx.conf"
  (printf "--admin-listen=:%d" (int .Values.proxy.adminPort))
  (printf "--expect-listen=%d" (int .Values.proxy.port))
  (printf "--drain-delay=%vs" $times.drain)
  (printf "--drain-timeout=%vs" $times.left) -}}
{{- if .Values.proxy.lastGood -}}
{{- $args = append $args "--last-good=/var/lib/proxy" -}}
{{- end -}}
{{- if eq .Values.proxy.reload "rollout" -}}
{{- /* Old pods must not take up the new file before the new ones have shown that it works. */ -}}
{{- $args = append $args "--reload-interval=0" -}}
{{- end -}}
{{- concat $args (.Values.proxy.extraArgs | default list) | toJson -}}
{{- end -}}
