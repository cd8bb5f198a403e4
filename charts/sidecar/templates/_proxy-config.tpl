{{/*
The proxy's configuration: nginx.conf and the files beside it. With proxy.reload hot they are a
ConfigMap, which running pods follow. With rollout they travel in the pod template, as annotations, so
that each pod has the text of its own revision whenever and wherever it starts.
*/}}

{{/* Text of nginx.conf: the user's untouched, or the chart's with the values' ports. */}}
{{- define "sidecar.proxyConfig" -}}
{{- if .Values.proxy.config -}}
{{- .Values.proxy.config -}}
{{- else -}}
{{- .Files.Get "files/nginx.conf"
  | replace "listen 8080;" (printf "listen %d;" (int .Values.proxy.port))
  | replace "listen [::]:8080;" (printf "listen [::]:%d;" (int .Values.proxy.port))
  | replace "server 127.0.0.1:5000;" (printf "server 127.0.0.1:%d;" (int .Values.app.port)) -}}
{{- end -}}
{{- end -}}

{{/* Where the files are: "none", "existing" (the user's ConfigMap), "map" (the chart's) or "pod". */}}
{{- define "sidecar.proxyConfigPlace" -}}
{{- if not .Values.proxy.enabled -}}
none
{{- else if .Values.proxy.existingConfigMap -}}
existing
{{- else if eq .Values.proxy.reload "rollout" -}}
pod
{{- else -}}
map
{{- end -}}
{{- end -}}

{{/* All files, as JSON: the text of each path under /etc/nginx. */}}
{{- define "sidecar.proxyFiles" -}}
{{- merge (dict "nginx.conf" (include "sidecar.proxyConfig" .)) (.Values.proxy.files | default dict) | toJson -}}
{{- end -}}

{{/* The key that a path has in a ConfigMap and behind the slash of an annotation, where it may hold none. */}}
{{- define "sidecar.fileKey" -}}
{{- replace "/" "_" . -}}
{{- end -}}

{{/* Annotations of a pod that carries the files, as JSON; none for one that does not. */}}
{{- define "sidecar.proxyConfigAnnotations" -}}
{{- $annotations := dict -}}
{{- if eq (include "sidecar.proxyConfigPlace" .) "pod" -}}
{{- range $path, $text := include "sidecar.proxyFiles" . | fromJson -}}
{{- $_ := set $annotations (printf "sidecar-kit/%s" (include "sidecar.fileKey" $path)) $text -}}
{{- end -}}
{{- end -}}
{{- toJson $annotations -}}
{{- end -}}

{{/* ConfigMap that holds the files. */}}
{{- define "sidecar.proxyConfigMapName" -}}
{{- with .Values.proxy.existingConfigMap }}{{ tpl . $ }}{{ else }}{{ include "sidecar.fullname" . }}-proxy{{ end -}}
{{- end -}}

{{/* The volume that the proxy has at /etc/nginx. */}}
{{- define "sidecar.proxyConfigVolume" -}}
- name: proxy-config
{{- if eq (include "sidecar.proxyConfigPlace" .) "pod" }}
  downwardAPI:
    items:
      {{- range $path, $text := include "sidecar.proxyFiles" . | fromJson }}
      - path: {{ $path | quote }}
        fieldRef:
          fieldPath: metadata.annotations['sidecar-kit/{{ include "sidecar.fileKey" $path }}']
      {{- end }}
{{- else }}
  configMap:
    name: {{ include "sidecar.proxyConfigMapName" . | quote }}
    {{- if and .Values.proxy.files (not .Values.proxy.existingConfigMap) }}
    items:
      {{- range $path, $text := include "sidecar.proxyFiles" . | fromJson }}
      - key: {{ include "sidecar.fileKey" $path | quote }}
        path: {{ $path | quote }}
      {{- end }}
    {{- end }}
{{- end }}
{{- end -}}

{{/*
A line feed and a map of texts, each of which (with tabs, CRLF, leading blanks) arrives as it is: helm
would cut off empty last lines.
*/}}
{{- define "sidecar.texts" -}}
{{- range $key, $text := . }}
{{- if hasSuffix "\n\n" $text }}
{{ $key }}: {{ toJson $text }}
{{- else }}
{{ dict $key $text | toYaml }}
{{- end }}
{{- end }}
{{- end -}}
