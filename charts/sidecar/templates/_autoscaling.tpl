{{/* What autoscaling has to do with the number of pods. */}}

{{/* Pods there are at least. */}}
{{- define "sidecar.leastReplicas" -}}
{{- if .Values.autoscaling.enabled -}}
{{- int .Values.autoscaling.minReplicas -}}
{{- else if kindIs "invalid" .Values.replicas -}}
1
{{- else -}}
{{- int .Values.replicas -}}
{{- end -}}
{{- end -}}

{{/* A metric: how much of what it requests the application uses. The sidecars neither hide its load nor add to it. */}}
{{- define "sidecar.appUtilization" -}}
- type: ContainerResource
  containerResource:
    name: {{ .resource }}
    container: app
    target:
      type: Utilization
      averageUtilization: {{ int .percentage }}
{{- end -}}

{{/* An autoscaler that could never act would only show in its events. */}}
{{- define "sidecar.validateAutoscaling" -}}
{{- $scaling := .Values.autoscaling -}}
{{- if $scaling.enabled -}}
{{- if gt (int $scaling.minReplicas) (int $scaling.maxReplicas) -}}
{{- fail (printf "autoscaling.minReplicas %d is more than autoscaling.maxReplicas %d" (int $scaling.minReplicas) (int $scaling.maxReplicas)) -}}
{{- end -}}
{{- $targets := dict "cpu" "targetCPUUtilizationPercentage" "memory" "targetMemoryUtilizationPercentage" -}}
{{- $measured := $scaling.metrics | default list | len -}}
{{- range $resource, $target := $targets -}}
{{- if get $scaling $target -}}
{{- $measured = add $measured 1 -}}
{{- if not (dig "requests" $resource "" ($.Values.app.resources | default dict)) -}}
{{- fail (printf "autoscaling.%s is a part of what the application requests: set app.resources.requests.%s" $target $resource) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if not $measured -}}
{{- fail "autoscaling.enabled has nothing to go by: set autoscaling.targetCPUUtilizationPercentage, targetMemoryUtilizationPercentage or metrics" -}}
{{- end -}}
{{- end -}}
{{- end -}}
