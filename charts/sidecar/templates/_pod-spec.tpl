{{/* The pod template: metadata and spec. */}}

{{/* Labels: nothing of the chart's version, so that a new chart alone starts no new pods. */}}
{{- define "sidecar.podLabels" -}}
{{- $selector := include "sidecar.selectorLabels" . | fromYaml -}}
{{- merge $selector (include "sidecar.map" (list . .Values.podLabels) | fromJson) (include "sidecar.map" (list . .Values.labels) | fromJson) | toYaml -}}
{{- end -}}

{{/* Annotations: the user's go over the chart's, but not over the proxy's configuration. */}}
{{- define "sidecar.podAnnotations" -}}
{{- $config := include "sidecar.proxyConfigAnnotations" . | fromJson -}}
{{- $own := ternary (dict "kubectl.kubernetes.io/default-container" "app") dict .Values.workload.enabled -}}
{{- merge $config (include "sidecar.map" (list . .Values.podAnnotations) | fromJson) $own | include "sidecar.texts" | trimPrefix "\n" -}}
{{- end -}}

{{/* Whether a sidecar is a native one, "true" or nothing: list $ .Values.proxy. */}}
{{- define "sidecar.isNative" -}}
{{- $own := (last .).native -}}
{{- if ternary (first .).Values.nativeSidecars $own (kindIs "invalid" $own) }}true{{ end -}}
{{- end -}}

{{/*
The sidecars that are on and of one kind, as list items: list $ and what "sidecar.isNative" says of
them. The order matters for native ones: they end in reverse.
*/}}
{{- define "sidecar.sidecars" -}}
{{- $root := first . -}}
{{- $scraper := $root.Values.logScraper -}}
{{- if and $scraper.enabled (eq (include "sidecar.isNative" (list $root $scraper)) (last .)) }}
- {{ include "sidecar.logScraperContainer" $root | nindent 2 | trim }}
{{- end }}
{{- $proxy := $root.Values.proxy -}}
{{- if and $proxy.enabled (eq (include "sidecar.isNative" (list $root $proxy)) (last .)) }}
- {{ include "sidecar.proxyContainer" $root | nindent 2 | trim }}
{{- end }}
{{- end -}}

{{- define "sidecar.podSpec" -}}
serviceAccountName: {{ include "sidecar.serviceAccountName" . | quote }}
automountServiceAccountToken: {{ .Values.serviceAccount.automountToken }}
{{- with include "sidecar.imagePullSecrets" . }}
{{ . }}
{{- end }}
{{- $security := omit (.Values.podSecurityContext | default dict) "sysctls" }}
{{- with include "sidecar.sysctls" . | fromJsonArray }}
{{- $security = set $security "sysctls" . }}
{{- end }}
{{- with $security }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
terminationGracePeriodSeconds: {{ include "sidecar.gracePeriod" . }}
{{- include "sidecar.podFields" . }}
{{- include "sidecar.scheduling" . }}
{{- $native := include "sidecar.initContainers" . }}
{{- if or $native .Values.extraInitContainers }}
initContainers:
  {{- with $native }}
  {{- . | nindent 2 }}
  {{- end }}
  {{- with .Values.extraInitContainers }}
  {{- include "sidecar.yaml" (list $ .) | nindent 2 }}
  {{- end }}
{{- end }}
containers:
  - {{ include "sidecar.appContainer" . | nindent 4 | trim }}
  {{- with include "sidecar.containers" . }}
  {{- . | nindent 2 }}
  {{- end }}
  {{- with .Values.extraContainers }}
  {{- include "sidecar.yaml" (list $ .) | nindent 2 }}
  {{- end }}
volumes:
  {{- include "sidecar.volumes" . | nindent 2 }}
{{- end -}}

{{/* What the containers see of the node and of each other. */}}
{{- define "sidecar.podFields" }}
enableServiceLinks: {{ .Values.enableServiceLinks }}
{{- if .Values.shareProcessNamespace }}
shareProcessNamespace: true
{{- end }}
{{- with .Values.hostAliases }}
hostAliases:
  {{- include "sidecar.yaml" (list $ .) | nindent 2 }}
{{- end }}
{{- with .Values.dnsPolicy }}
dnsPolicy: {{ . }}
{{- end }}
{{- with .Values.dnsConfig }}
dnsConfig:
  {{- include "sidecar.yaml" (list $ .) | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Where the pods may run. */}}
{{- define "sidecar.scheduling" -}}
{{- with .Values.schedulerName }}
schedulerName: {{ . | quote }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- with .Values.runtimeClassName }}
runtimeClassName: {{ . | quote }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- include "sidecar.yaml" (list $ .) | nindent 2 }}
{{- end }}
{{- if .Values.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- include "sidecar.topologySpread" . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The log volumes stay without a log scraper, for the application goes on writing its file. */}}
{{- define "sidecar.volumeList" -}}
{{- $emptyDir := dict }}
{{- with .Values.logs.sizeLimit }}{{ $_ := set $emptyDir "sizeLimit" . }}{{ end }}
{{- with .Values.logs.medium }}{{ $_ := set $emptyDir "medium" . }}{{ end }}
{{- range include "sidecar.logVolumes" . | fromJsonArray }}
- name: {{ .name }}
  emptyDir:
    {{- toYaml $emptyDir | nindent 4 }}
{{- end }}
{{- if .Values.logScraper.enabled }}
- name: checkpoint
  emptyDir:
    sizeLimit: 16Mi
{{- end }}
{{- if .Values.proxy.enabled }}
{{ include "sidecar.proxyConfigVolume" . }}
{{- include "sidecar.lastGoodVolume" . }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ include "sidecar.yaml" (list $ .) }}
{{- end }}
{{- end -}}
