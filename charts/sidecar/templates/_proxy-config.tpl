{{/*
The proxy's configuration: nginx.conf and the files beside it. With proxy.reload hot they are a
ConfigMap, which running pods follow. With rollout they travel in the pod template, as annotations, so
that each pod has the text of its own revision whenever and wherever it starts.
*/}}

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

{{/*
All files, as JSON: the text of each path under /etc/nginx. The user's nginx.conf is untouched. The
chart's own is the same whatever the values are, and so is the template of its server, which the proxy
fills with its environment: pods that run already do not take up the ports of those to come. The
template is in the ConfigMap beside a user's nginx.conf, too, where nothing includes it, so that a change
from one to the other changes no pod.
*/}}
{{- define "sidecar.proxyFiles" -}}
{{- $files := dict "nginx.conf" (.Values.proxy.config | default (.Files.Get "files/nginx.conf")) -}}
{{- if or (not .Values.proxy.config) (eq (include "sidecar.proxyConfigPlace" .) "map") -}}
{{- $_ := set $files "templates/chart/default.conf.template" (.Files.Get "files/default.conf.template") -}}
{{- end -}}
{{- merge (.Values.proxy.files | default dict | deepCopy) $files | toJson -}}
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
{{- with .Values.proxy.existingConfigMap }}{{ tpl . $ }}{{ else }}{{ include "sidecar.fullname" . }}-proxy-config{{ end -}}
{{- end -}}

{{/* The volume that the proxy keeps the last good configuration in, if it does. */}}
{{- define "sidecar.lastGoodVolume" -}}
{{- if .Values.proxy.lastGood }}
- name: last-good
  emptyDir:
    sizeLimit: 48Mi
{{- end }}
{{- end -}}

{{/* Data of a ConfigMap with the files. */}}
{{- define "sidecar.proxyConfigData" -}}
{{- $data := dict -}}
{{- range $path, $text := include "sidecar.proxyFiles" . | fromJson -}}
{{- $_ := set $data (include "sidecar.fileKey" $path) $text -}}
{{- end -}}
{{- include "sidecar.texts" $data | trimPrefix "\n" -}}
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
  {{- include "sidecar.proxyConfigSource" (list . (include "sidecar.proxyConfigMapName" .)) | nindent 2 }}
{{- end }}
{{- end -}}

{{/* A volume's source with the files of a ConfigMap at their paths, list $ NAME. */}}
{{- define "sidecar.proxyConfigSource" -}}
configMap:
  name: {{ last . | quote }}
  {{- if not (first .).Values.proxy.existingConfigMap }}
  items:
    {{- range $path, $text := include "sidecar.proxyFiles" (first .) | fromJson }}
    - key: {{ include "sidecar.fileKey" $path | quote }}
      path: {{ $path | quote }}
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
