{{/* What the pods of `helm test` share. They run the proxy's image, which has all they need. */}}

{{/* Labels: not the selector's, or the Service would send them traffic. */}}
{{- define "sidecar.testLabels" -}}
{{- $labels := include "sidecar.labels" (dict "root" .) | fromYaml -}}
{{- omit $labels "app.kubernetes.io/name" | merge (dict "app.kubernetes.io/component" "test") | toYaml -}}
{{- end -}}

{{- define "sidecar.testAnnotations" -}}
{{- merge (dict
  "helm.sh/hook" "test"
  "helm.sh/hook-delete-policy" "before-hook-creation,hook-succeeded") (include "sidecar.map" (list . .Values.annotations) | fromJson) | toYaml -}}
{{- end -}}

{{/* The same of the test that comes before an install or an upgrade. */}}
{{- define "sidecar.checkLabels" -}}
{{- merge (dict "app.kubernetes.io/component" "check") (include "sidecar.testLabels" . | fromYaml) | toYaml -}}
{{- end -}}

{{/* Annotations of a hook before an install or an upgrade, list $ WEIGHT. What failed stays to be looked at. */}}
{{- define "sidecar.checkAnnotations" -}}
{{- merge (dict
  "helm.sh/hook" "pre-install,pre-upgrade"
  "helm.sh/hook-weight" (last . | toString)
  "helm.sh/hook-delete-policy" "before-hook-creation,hook-succeeded"
  "helm.sh/hook-output-log-policy" "hook-failed") (include "sidecar.map" (list (first .) (first .).Values.annotations) | fromJson) | toYaml -}}
{{- end -}}

{{- define "sidecar.testPodSpec" -}}
restartPolicy: Never
automountServiceAccountToken: false
{{- with include "sidecar.imagePullSecrets" . }}
{{ . }}
{{- end }}
{{- with omit (.Values.podSecurityContext | default dict) "sysctls" }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Whether an answer says that it is the proxy's: "true" or nothing. A configuration of the user's may say otherwise. */}}
{{- define "sidecar.isOwnAnswer" -}}
{{- $proxy := .Values.proxy -}}
{{- if and $proxy.enabled (not (or $proxy.config $proxy.existingConfigMap $proxy.files $proxy.args)) }}true{{ end -}}
{{- end -}}

{{/*
Whether the log scraper's count is asked for: "true" or nothing. The demo is known to write a line a
request; of another application nobody knows.
*/}}
{{- define "sidecar.isLogsTest" -}}
{{- $scraper := .Values.logScraper -}}
{{- $counts := and $scraper.enabled (not $scraper.args) (not (include "sidecar.hasLogStore" .)) -}}
{{- if and .Values.tests.enabled $counts (include "sidecar.isService" .) (include "sidecar.isDemo" .) }}true{{ end -}}
{{- end -}}

{{- define "sidecar.testContainer" -}}
image: {{ include "sidecar.image" (dict "root" . "image" .Values.proxy.image) | quote }}
imagePullPolicy: {{ .Values.proxy.image.pullPolicy }}
command: [/proxy]
{{- with .Values.proxy.securityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.proxy.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
