{{/* Which kind of workload runs the pods, and what follows from it. */}}

{{/* Its kind, or nothing where a parent chart runs them. */}}
{{- define "sidecar.kind" -}}
{{- if .Values.workload.enabled }}{{ .Values.workload.kind }}{{ end -}}
{{- end -}}

{{/* Whether its pods go on until they are told to end: "true" or nothing. */}}
{{- define "sidecar.isService" -}}
{{- if has (include "sidecar.kind" .) (list "Deployment" "StatefulSet" "DaemonSet") }}true{{ end -}}
{{- end -}}

{{/* Whether it has a number of pods that can be chosen: "true" or nothing. */}}
{{- define "sidecar.isScalable" -}}
{{- if has (include "sidecar.kind" .) (list "Deployment" "StatefulSet") }}true{{ end -}}
{{- end -}}

{{/* The number of pods, with its key, or nothing where something else chooses it. */}}
{{- define "sidecar.replicas" -}}
{{- if not (or .Values.autoscaling.enabled (kindIs "invalid" .Values.replicas)) -}}
replicas: {{ int .Values.replicas }}
{{- end -}}
{{- end -}}

{{/*
How a new version takes the place of the old one. Where the values do not say, no pod is taken away
before its successor is ready; a StatefulSet's has the same name, so there it cannot be so.
*/}}
{{- define "sidecar.updateStrategy" -}}
{{- $kind := include "sidecar.kind" . -}}
{{- $strategy := .Values.updateStrategy -}}
{{- $rolling := deepCopy ($strategy.rollingUpdate | default dict) -}}
{{- $own := dict "maxUnavailable" 0 "maxSurge" 1 -}}
{{- if eq $kind "Deployment" -}}
{{- $rolling = merge $rolling $own -}}
{{- else if and (eq $kind "DaemonSet") (not $rolling) -}}
{{- $rolling = $own -}}
{{- end -}}
{{- $fields := dict "type" $strategy.type -}}
{{- if and $rolling (eq $strategy.type "RollingUpdate") -}}
{{- $_ := set $fields "rollingUpdate" $rolling -}}
{{- end -}}
{{- toYaml $fields -}}
{{- end -}}

{{/* Pod template. A Job's pods need to be told that they end. */}}
{{- define "sidecar.podTemplate" -}}
metadata:
  labels:
    {{- include "sidecar.podLabels" . | nindent 4 }}
  annotations:
    {{- include "sidecar.podAnnotations" . | nindent 4 }}
spec:
  {{- if not (include "sidecar.isService" .) }}
  restartPolicy: {{ .Values.workload.job.restartPolicy }}
  {{- end }}
  {{- include "sidecar.podSpec" . | nindent 2 }}
{{- end -}}

{{/* Spec of a Job, by itself or of a CronJob. */}}
{{- define "sidecar.jobSpec" -}}
{{- with omit .Values.workload.job "restartPolicy" }}
{{- $given := dict }}
{{- range $key, $value := . }}{{ if not (kindIs "invalid" $value) }}{{ $_ := set $given $key $value }}{{ end }}{{ end }}
{{- with $given }}
{{- toYaml . }}
{{ end }}
{{- end -}}
template:
  {{- include "sidecar.podTemplate" . | nindent 2 }}
{{- end -}}

{{/*
Name of a Job. A Job can never change, so one of other content is another one: a hash of what its pods
are is part of its name.
*/}}
{{- define "sidecar.jobName" -}}
{{- printf "%s-%s" (include "sidecar.fullname" .) (include "sidecar.jobSpec" . | sha256sum | trunc 8) -}}
{{- end -}}

{{/* What cannot be for the kind. */}}
{{- define "sidecar.validateWorkload" -}}
{{- $kind := include "sidecar.kind" . -}}
{{- $where := ternary (printf "workload.kind %s" $kind) "workload.enabled false" .Values.workload.enabled -}}
{{- $needs := dict -}}
{{- range $value := list "autoscaling" "podDisruptionBudget" -}}
{{- if not (include "sidecar.isScalable" $) }}{{ $_ := set $needs $value "a workload with a number of pods" }}{{ end -}}
{{- end -}}
{{- range $value := list "ingress" "httpRoute" -}}
{{- if not (include "sidecar.isService" $) }}{{ $_ := set $needs $value "a Service" }}{{ end -}}
{{- end -}}
{{- range $value := list "networkPolicy" "podMonitor" "serviceMonitor" "prometheusRule" -}}
{{- if not $kind }}{{ $_ := set $needs $value "pods of the chart's own" }}{{ end -}}
{{- end -}}
{{- range $value, $what := $needs -}}
{{- if (get $.Values $value).enabled -}}
{{- fail (printf "%s.enabled needs %s, which %s does not have" $value $what $where) -}}
{{- end -}}
{{- end -}}
{{- include "sidecar.validateUpdateStrategy" . -}}
{{- if and .Values.workload.job.podFailurePolicy (ne .Values.workload.job.restartPolicy "Never") -}}
{{- fail "workload.job.podFailurePolicy is for workload.job.restartPolicy Never" -}}
{{- end -}}
{{- if and (eq $kind "CronJob") (not .Values.workload.cronJob.schedule) -}}
{{- fail "workload.kind CronJob never runs without workload.cronJob.schedule" -}}
{{- end -}}
{{- if and $kind (not (include "sidecar.isService" .)) -}}
{{- $plain := "%s with %s false never ends, for the %s goes on: take native sidecars, or %s" -}}
{{- $proxy := .Values.proxy -}}
{{- if and $proxy.enabled (not (include "sidecar.isNative" (list . $proxy))) -}}
{{- fail (printf $plain $where (ternary "nativeSidecars" "proxy.native" (kindIs "invalid" $proxy.native)) "proxy" "proxy.enabled false") -}}
{{- end -}}
{{- $scraper := .Values.logScraper -}}
{{- if and $scraper.enabled (not $scraper.exitOnFile) (not (include "sidecar.isNative" (list . $scraper))) -}}
{{- fail (printf $plain $where (ternary "nativeSidecars" "logScraper.native" (kindIs "invalid" $scraper.native)) "log scraper" "logScraper.exitOnFile") -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Each kind knows strategies, and fields of them, that others do not. */}}
{{- define "sidecar.validateUpdateStrategy" -}}
{{- $kind := include "sidecar.kind" . -}}
{{- $strategy := .Values.updateStrategy -}}
{{- $types := get (dict "Deployment" (list "RollingUpdate" "Recreate") "StatefulSet" (list "RollingUpdate" "OnDelete") "DaemonSet" (list "RollingUpdate" "OnDelete")) $kind -}}
{{- $fields := get (dict "Deployment" (list "maxUnavailable" "maxSurge") "StatefulSet" (list "maxUnavailable" "partition") "DaemonSet" (list "maxUnavailable" "maxSurge")) $kind -}}
{{- $rolling := $strategy.rollingUpdate | default dict -}}
{{- if and (has (toString $rolling.maxUnavailable) (list "0" "0%")) (has (toString (dig "maxSurge" 1 $rolling)) (list "0" "0%")) -}}
{{- fail "updateStrategy.rollingUpdate.maxUnavailable and maxSurge are both 0: no pod could ever be replaced" -}}
{{- end -}}
{{- if $types -}}
{{- if not (has $strategy.type $types) -}}
{{- fail (printf "updateStrategy.type %s is not for a %s, which knows %s" $strategy.type $kind (join " and " $types)) -}}
{{- end -}}
{{- range $field, $value := $rolling -}}
{{- if not (or (has $field $fields) (kindIs "invalid" $value)) -}}
{{- fail (printf "updateStrategy.rollingUpdate.%s is not for a %s, which knows %s" $field $kind (join " and " $fields)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
