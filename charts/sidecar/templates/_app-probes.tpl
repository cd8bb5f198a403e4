{{/*
The application's probes. With the proxy on it is on loopback, where the kubelet, which asks at the
pod's address, does not reach it: what has no port is asked through the proxy, and what has another
is refused.
*/}}

{{/* The values' probes, as JSON, with each short form written out as the handler that it stands for. */}}
{{- define "sidecar.appProbes" -}}
{{- $probes := dict -}}
{{- range $kind, $given := .Values.app.probes -}}
{{- $probe := $given -}}
{{- if kindIs "map" $given -}}
{{- $path := printf "app.probes.%s" $kind -}}
{{- $get := $given.httpGet -}}
{{- if $given.path -}}
{{- if or $given.exec $given.grpc $get $given.tcpSocket -}}
{{- fail (printf "%s.path is a handler by itself: leave out exec, grpc, httpGet and tcpSocket, or path" $path) -}}
{{- end -}}
{{- $get = dict "path" $given.path -}}
{{- end -}}
{{- $probe = omit $given "path" -}}
{{- with $get -}}
{{- $port := .port | default (include "sidecar.probePort" $ | fromJson).port -}}
{{- $probe = set $probe "httpGet" (merge (dict "port" $port) .) -}}
{{- end -}}
{{- include "sidecar.validateHandler" (dict "root" $ "path" $path "handler" $given) -}}
{{- end -}}
{{- $_ := set $probes $kind $probe -}}
{{- end -}}
{{- toJson $probes -}}
{{- end -}}

{{/* Where a probe without a port asks, as JSON: the proxy by its number, for its name is another container's. */}}
{{- define "sidecar.probePort" -}}
{{- if .Values.proxy.enabled -}}
{{- dict "port" (int .Values.proxy.port) | toJson -}}
{{- else -}}
{{- dict "port" "http" | toJson -}}
{{- end -}}
{{- end -}}

{{/* A handler that the kubelet asks over the network: dict "root" $ "path" (its values') "handler" (its owner). */}}
{{- define "sidecar.validateHandler" -}}
{{- $context := . -}}
{{- if .root.Values.proxy.enabled -}}
{{- range $handler := list "httpGet" "tcpSocket" "grpc" -}}
{{- with get $context.handler $handler -}}
{{- $path := printf "%s.%s" $context.path $handler -}}
{{- $reached := list (toString (int $context.root.Values.proxy.port)) -}}
{{- range $context.root.Values.app.ports }}{{ $reached = append (append $reached .name) (toString (int .containerPort)) }}{{ end -}}
{{- if and .port (not (has (toString .port) $reached)) -}}
{{- fail (printf "%s.port %v: with the proxy on the application is on 127.0.0.1, where the kubelet does not reach it. Ask through the proxy by httpGet without a port, or use exec" $path .port) -}}
{{- end -}}
{{- if and .host (not .port) -}}
{{- fail (printf "%s.host %s: leave it out, or the kubelet asks some other machine, or its own" $path .host) -}}
{{- end -}}
{{- if and (eq (.scheme | default "HTTP") "HTTPS") (not .port) -}}
{{- fail (printf "%s.scheme HTTPS: the proxy, through which it asks, speaks HTTP" $path) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
