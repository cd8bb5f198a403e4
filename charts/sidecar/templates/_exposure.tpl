{{/* How the pods are reached. */}}

{{/* Service that gives a StatefulSet's pods their names. */}}
{{- define "sidecar.headlessName" -}}
{{- .Values.workload.statefulSet.serviceName | default (printf "%s-headless" (include "sidecar.fullname" .)) -}}
{{- end -}}

{{/* Labels of the pods of `helm test`. */}}
{{- define "sidecar.testSelector" -}}
{{- dict "app.kubernetes.io/instance" .Release.Name "app.kubernetes.io/component" "test" | toYaml -}}
{{- end -}}

{{/* What the API server refuses of a Service. */}}
{{- define "sidecar.validateService" -}}
{{- $service := .Values.service -}}
{{- if and (eq $service.clusterIP "None") (ne $service.type "ClusterIP") -}}
{{- fail (printf "service.clusterIP None is for service.type ClusterIP, not for %s" $service.type) -}}
{{- end -}}
{{- if and (gt (len ($service.ipFamilies | default list)) 1) (has $service.ipFamilyPolicy (list "" "SingleStack")) -}}
{{- fail "service.ipFamilies has two families, which service.ipFamilyPolicy PreferDualStack or RequireDualStack allows" -}}
{{- end -}}
{{- if and (not (kindIs "invalid" .Values.unprivilegedPortStart)) .Values.proxy.enabled (lt (int .Values.proxy.port) (int .Values.unprivilegedPortStart)) -}}
{{- fail (printf "proxy.port %d is below unprivilegedPortStart %d: the proxy, which has no privileges, could not listen on it" (int .Values.proxy.port) (int .Values.unprivilegedPortStart)) -}}
{{- end -}}
{{- end -}}

{{/* What would be made and lead nowhere, or shut out what is asked for beside it. */}}
{{- define "sidecar.validateExposure" -}}
{{- if and .Values.ingress.enabled (not .Values.ingress.hosts) -}}
{{- fail "ingress.enabled without a host leads nowhere: set ingress.hosts" -}}
{{- end -}}
{{- if and .Values.httpRoute.enabled (not .Values.httpRoute.parentRefs) -}}
{{- fail "httpRoute.enabled without a gateway leads nowhere: set httpRoute.parentRefs" -}}
{{- end -}}
{{- $policy := .Values.networkPolicy -}}
{{- if and $policy.enabled (not $policy.monitoringFrom) (or .Values.podMonitor.enabled .Values.serviceMonitor.enabled) -}}
{{- fail "networkPolicy.enabled shuts out who asks for the metrics: set networkPolicy.monitoringFrom, `[{namespaceSelector: {}}]` for every pod of the cluster" -}}
{{- end -}}
{{- end -}}
