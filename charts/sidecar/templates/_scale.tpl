{{/* The number of pods: who chooses it, and who may take some away. */}}

{{/* Whether there may be more pods than one: "true" or nothing. Who scales them by himself may. */}}
{{- define "sidecar.hasSeveralPods" -}}
{{- if ternary (gt (int .Values.autoscaling.minReplicas) 1) (or (kindIs "invalid" .Values.replicas) (gt (int .Values.replicas) 1)) .Values.autoscaling.enabled -}}
true
{{- end -}}
{{- end -}}

{{/* A number as it is, and a percentage in quotes. */}}
{{- define "sidecar.intOrPercent" -}}
{{- if kindIs "string" . }}{{ quote . }}{{ else }}{{ int . }}{{ end -}}
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
{{- if not (get (($.Values.app.resources).requests | default dict) $resource) -}}
{{- fail (printf "autoscaling.%s is a part of what the application requests: set app.resources.requests.%s" $target $resource) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if not $measured -}}
{{- fail "autoscaling.enabled has nothing to go by: set autoscaling.targetCPUUtilizationPercentage, targetMemoryUtilizationPercentage or metrics" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* A budget that no eviction meets would hold up each drain of a node. */}}
{{- define "sidecar.validateDisruptionBudget" -}}
{{- $budget := .Values.podDisruptionBudget -}}
{{- $least := ternary .Values.autoscaling.minReplicas .Values.replicas .Values.autoscaling.enabled -}}
{{- $available := $budget.minAvailable -}}
{{- if and $budget.enabled (include "sidecar.hasSeveralPods" .) (not (kindIs "invalid" $available)) -}}
{{- if or (eq (toString $available) "100%") (and (not (kindIs "string" $available)) (not (kindIs "invalid" $least)) (ge (int $available) (int $least))) -}}
{{- fail (printf "podDisruptionBudget.minAvailable %v of %v pods would never let one go" $available $least) -}}
{{- end -}}
{{- end -}}
{{- end -}}
