{{/* Ports: of the containers, and of the Services that lead to them. */}}

{{/* All ports of the containers, as JSON: value (whose it is), name, number, protocol. */}}
{{- define "sidecar.ports" -}}
{{- $proxy := .Values.proxy -}}
{{- $ports := list (dict "value" "app.port" "name" (ternary "" "http" $proxy.enabled) "number" .Values.app.port) -}}
{{- range $index, $port := .Values.app.ports -}}
{{- $ports = append $ports (dict "value" (printf "app.ports[%d]" $index) "name" $port.name "number" $port.containerPort "protocol" $port.protocol) -}}
{{- end -}}
{{- if $proxy.enabled -}}
{{- $ports = append $ports (dict "value" "proxy.port" "name" "http" "number" $proxy.port) -}}
{{- $ports = append $ports (dict "value" "proxy.adminPort" "name" "proxy-admin" "number" $proxy.adminPort) -}}
{{- range $index, $port := $proxy.ports -}}
{{- $ports = append $ports (dict "value" (printf "proxy.ports[%d]" $index) "name" $port.name "number" $port.containerPort "protocol" $port.protocol) -}}
{{- end -}}
{{- end -}}
{{- if .Values.logScraper.enabled -}}
{{- $ports = append $ports (dict "value" "logScraper.adminPort" "name" "scraper-admin" "number" .Values.logScraper.adminPort) -}}
{{- end -}}
{{- range $ports }}{{ $_ := set . "protocol" (.protocol | default "TCP") }}{{ $_ := set . "number" (int .number) }}{{ end -}}
{{- toJson $ports -}}
{{- end -}}

{{/* More ports of a container, as list items. */}}
{{- define "sidecar.morePorts" -}}
{{- range . }}
- name: {{ .name | quote }}
  containerPort: {{ int .containerPort }}
  protocol: {{ .protocol | default "TCP" }}
{{- end }}
{{- end -}}

{{/* Ports of the Service: dict "root" $ "nodes" (whether they may be at the nodes). */}}
{{- define "sidecar.servicePorts" -}}
{{- $nodes := .nodes -}}
{{- $service := .root.Values.service -}}
{{- $http := dict "name" "http" "port" $service.port "nodePort" $service.nodePort "appProtocol" $service.appProtocol -}}
{{- range prepend ($service.extraPorts | default list) $http }}
- name: {{ .name | quote }}
  port: {{ int .port }}
  # By name: each pod says for itself whether that is its proxy or its application.
  targetPort: {{ .targetPort | default .name }}
  protocol: {{ .protocol | default "TCP" }}
  {{- with .appProtocol }}
  appProtocol: {{ . | quote }}
  {{- end }}
  {{- if and $nodes .nodePort }}
  nodePort: {{ int .nodePort }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* Numbers and protocols of the ports that the Service leads to, as JSON. */}}
{{- define "sidecar.servedPorts" -}}
{{- $served := list -}}
{{- $ports := include "sidecar.ports" . | fromJsonArray -}}
{{- range prepend (.Values.service.extraPorts | default list) (dict "name" "http") -}}
{{- $target := .targetPort | default .name | toString -}}
{{- $protocol := .protocol | default "TCP" -}}
{{- range $ports -}}
{{- if and (has $target (list .name (toString .number))) (eq .protocol $protocol) -}}
{{- $served = append $served (dict "number" .number "protocol" .protocol) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- uniq $served | toJson -}}
{{- end -}}

{{/* The containers share one network, so no two may listen on one port. */}}
{{- define "sidecar.validatePorts" -}}
{{- $owners := dict -}}
{{- $named := dict -}}
{{- $ports := include "sidecar.ports" . | fromJsonArray -}}
{{- range $port := $ports -}}
{{- $key := printf "%v/%s" $port.number $port.protocol -}}
{{- with get $owners $key -}}
{{- fail (printf "%s and %s are both %v: the containers of a pod share one network, so give each a port of its own" . $port.value $port.number) -}}
{{- end -}}
{{- $_ := set $owners $key $port.value -}}
{{- if $port.name -}}
{{- with get $named $port.name -}}
{{- fail (printf "%s and %s are both called %s" . $port.value $port.name) -}}
{{- end -}}
{{- $_ := set $named $port.name $port.value -}}
{{- end -}}
{{- end -}}
{{- include "sidecar.validateServicePorts" (list . $ports) -}}
{{- end -}}

{{/* Ports of the Service with names and numbers of their own, which lead to ports that there are: list $ PORTS. */}}
{{- define "sidecar.validateServicePorts" -}}
{{- $ports := last . -}}
{{- $service := (first .).Values.service -}}
{{- $taken := dict "http" "service.port" (printf "%d/TCP" (int $service.port)) "service.port" -}}
{{- range $index, $extra := $service.extraPorts -}}
{{- range list $extra.name (printf "%d/%s" (int $extra.port) ($extra.protocol | default "TCP")) -}}
{{- with get $taken . -}}
{{- fail (printf "service.extraPorts[%d] (%s, %d) has the name or the number of %s" $index $extra.name (int $extra.port) .) -}}
{{- end -}}
{{- $_ := set $taken . (printf "service.extraPorts[%d]" $index) -}}
{{- end -}}
{{- $target := $extra.targetPort | default $extra.name | toString -}}
{{- $found := false -}}
{{- range $ports }}{{ if and (has $target (list .name (toString .number))) (eq .protocol ($extra.protocol | default "TCP")) }}{{ $found = true }}{{ end }}{{ end -}}
{{- if not $found -}}
{{- fail (printf "service.extraPorts[%d] leads to the port %s, which no container has: add it to proxy.ports or app.ports" $index $target) -}}
{{- end -}}
{{- end -}}
{{- end -}}
