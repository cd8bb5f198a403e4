{{/* What the containers share: their common parts, their probes, the seconds they have to end. */}}

{{/* First part of any of the three: dict "root" $ "values" .Values.app "name" "app". */}}
{{- define "sidecar.containerHead" -}}
name: {{ .name }}
image: {{ include "sidecar.image" (dict "root" .root "image" .values.image) | quote }}
imagePullPolicy: {{ .values.image.pullPolicy }}
{{- if ne .name "app" }}
{{- /* The last words of a sidecar that failed, a refused file say, stand in `kubectl describe` then. */}}
terminationMessagePolicy: FallbackToLogsOnError
{{- end }}
{{- with .values.securityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* env and envFrom, or nothing: dict "root" $ "env" "envFrom". */}}
{{- define "sidecar.environment" -}}
{{- $root := .root -}}
{{- with .env }}
env:
  {{- include "sidecar.yaml" (list $root .) | nindent 2 }}
{{- end }}
{{- with .envFrom }}
envFrom:
  {{- include "sidecar.yaml" (list $root .) | nindent 2 }}
{{- end }}
{{- end -}}

{{/* lifecycle of a sidecar, or nothing: dict "given" (the user's hooks) "own" (the chart's, where the user has none). */}}
{{- define "sidecar.lifecycle" -}}
{{- $hooks := deepCopy (.given | default dict) -}}
{{- range $hook, $handler := .own }}{{ if not (hasKey $hooks $hook) }}{{ $_ := set $hooks $hook $handler }}{{ end }}{{ end -}}
{{- with $hooks }}
lifecycle:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/*
The probes of a container: dict "path" (the container's values, for messages) "given" (its values'
probes) "startup" "readiness" "liveness" (the chart's own handler of each, or nothing).
A given probe goes over the chart's; one with a handler of its own replaces the chart's handler;
null is no probe, and so is a startup probe that nothing is given of.
*/}}
{{- define "sidecar.probes" -}}
{{- $context := . -}}
{{- $given := .given | default dict -}}
{{- range $kind := list "startup" "readiness" "liveness" -}}
{{- $probe := get $given $kind -}}
{{- if and (kindIs "map" $probe) (or $probe (ne $kind "startup")) -}}
{{- $own := or $probe.exec $probe.grpc $probe.httpGet $probe.tcpSocket -}}
{{- if gt (len (pick $probe "exec" "grpc" "httpGet" "tcpSocket")) 1 -}}
{{- fail (printf "%s.probes.%s has several handlers: %s" $context.path $kind (keys (pick $probe "exec" "grpc" "httpGet" "tcpSocket") | sortAlpha | join ", ")) -}}
{{- end -}}
{{- if and (ne $kind "readiness") (gt (int $probe.successThreshold) 1) -}}
{{- fail (printf "%s.probes.%s.successThreshold is 1 for all but readiness" $context.path $kind) -}}
{{- end -}}
{{- $handler := get $context $kind | default dict -}}
{{- if and $probe (not $own) (not $handler) -}}
{{- fail (printf "%s.probes.%s has no handler: give it one of exec, grpc, httpGet, tcpSocket" $context.path $kind) -}}
{{- end -}}
{{- with ternary $probe (merge (deepCopy $probe) $handler) (not (empty $own)) }}
{{ $kind }}Probe:
  {{- toYaml . | nindent 2 }}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Sysctls of the pod, as JSON: those of podSecurityContext and the chart's one, which they may replace. */}}
{{- define "sidecar.sysctls" -}}
{{- $name := "net.ipv4.ip_unprivileged_port_start" -}}
{{- $sysctls := (.Values.podSecurityContext).sysctls | default list -}}
{{- $given := list -}}
{{- range $sysctls }}{{ $given = append $given .name }}{{ end -}}
{{- if and (not (kindIs "invalid" .Values.unprivilegedPortStart)) (not (has $name $given)) -}}
{{- $sysctls = append $sysctls (dict "name" $name "value" (int .Values.unprivilegedPortStart | toString)) -}}
{{- end -}}
{{- toJson $sysctls -}}
{{- end -}}

{{/*
The pods' topologySpreadConstraints with the chart's selector where they have none, and of this
revision's pods alone, so that a rollout does not end up beside the old ones' places.
*/}}
{{- define "sidecar.topologySpread" -}}
{{- $selector := dict "matchLabels" (include "sidecar.selectorLabels" . | fromYaml) -}}
{{- $constraints := list -}}
{{- range (include "sidecar.rendered" (list . .Values.topologySpreadConstraints) | fromJson).value -}}
{{- $constraint := . -}}
{{- if not (hasKey . "labelSelector") -}}
{{- $constraint = merge (dict "labelSelector" $selector) . -}}
{{- if eq (include "sidecar.kind" $) "Deployment" -}}
{{- $constraint = merge $constraint (dict "matchLabelKeys" (list "pod-template-hash")) -}}
{{- end -}}
{{- end -}}
{{- $constraints = append $constraints $constraint -}}
{{- end -}}
{{- toYaml $constraints -}}
{{- end -}}
