{{/* Parts of the pod that Kubernetes would refuse, or that would take the place of the chart's own. */}}

{{- define "sidecar.validatePod" -}}
{{- include "sidecar.validateContainers" . -}}
{{- include "sidecar.validateVolumes" . -}}
{{- range $name := list "app" "proxy" "logScraper" -}}
{{- $container := get $.Values $name -}}
{{- include "sidecar.validateMounts" (list $ $name $container) -}}
{{- include "sidecar.validateEnv" (list $name $container.env) -}}
{{- include "sidecar.validateResources" (list $name ($container.resources | default dict)) -}}
{{- include "sidecar.validateSecurity" (list $name ($container.securityContext | default dict) ($.Values.podSecurityContext | default dict)) -}}
{{- if and (ne $name "app") $container.args $container.extraArgs -}}
{{- fail (printf "%s.args takes the place of all arguments, %s.extraArgs too: leave one of them empty" $name $name) -}}
{{- end -}}
{{- end -}}
{{- if and (eq .Values.dnsPolicy "None") (not (.Values.dnsConfig).nameservers) -}}
{{- fail "dnsPolicy None needs dnsConfig.nameservers" -}}
{{- end -}}
{{- end -}}

{{- define "sidecar.validateContainers" -}}
{{- $owners := dict "app" "the chart's own" "proxy" "the chart's own" "log-scraper" "the chart's own" -}}
{{- range $value := list "extraContainers" "extraInitContainers" -}}
{{- range $index, $container := (include "sidecar.rendered" (list $ (get $.Values $value | default list)) | fromJson).value -}}
{{- $path := printf "%s[%d]" $value $index -}}
{{- with get $owners $container.name -}}
{{- fail (printf "%s.name %s is the name of a container that is there already: %s" $path $container.name .) -}}
{{- end -}}
{{- $_ := set $owners $container.name $path -}}
{{- if not $container.image -}}
{{- fail (printf "%s (%s) has no image" $path $container.name) -}}
{{- end -}}
{{- if and (eq $value "extraContainers") $container.restartPolicy -}}
{{- fail (printf "%s.restartPolicy is for extraInitContainers, where Always makes a native sidecar" $path) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Names of all volumes, as JSON: whose each is. */}}
{{- define "sidecar.volumeOwners" -}}
{{- $owners := dict "checkpoint" "the chart's own" "proxy-config" "the chart's own" "last-good" "the chart's own" "logs" "the chart's own" -}}
{{- range concat (include "sidecar.logVolumes" . | fromJsonArray) (include "sidecar.logStoreVolumes" . | fromYamlArray) -}}
{{- $_ := set $owners .name "the chart's own" -}}
{{- end -}}
{{- range $index, $volume := (include "sidecar.rendered" (list $ .Values.extraVolumes) | fromJson).value -}}
{{- $path := printf "extraVolumes[%d]" $index -}}
{{- with get $owners $volume.name -}}
{{- fail (printf "%s.name %s is the name of a volume that is there already: %s" $path $volume.name .) -}}
{{- end -}}
{{- $_ := set $owners $volume.name $path -}}
{{- end -}}
{{- if eq (include "sidecar.kind" .) "StatefulSet" -}}
{{- range $index, $claim := (include "sidecar.rendered" (list $ .Values.workload.statefulSet.volumeClaimTemplates) | fromJson).value -}}
{{- $path := printf "workload.statefulSet.volumeClaimTemplates[%d]" $index -}}
{{- with get $owners $claim.metadata.name -}}
{{- fail (printf "%s.metadata.name %s is the name of a volume that is there already: %s" $path $claim.metadata.name .) -}}
{{- end -}}
{{- $_ := set $owners $claim.metadata.name $path -}}
{{- end -}}
{{- end -}}
{{- toJson $owners -}}
{{- end -}}

{{- define "sidecar.validateVolumes" -}}
{{- $_ := include "sidecar.volumeOwners" . -}}
{{- range $index, $volume := .Values.extraVolumes -}}
{{- if ne (len $volume) 2 -}}
{{- fail (printf "extraVolumes[%d] (%s) needs one source, emptyDir or configMap for instance, and has %d" $index $volume.name (sub (len $volume) 1)) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Mounts of volumes that there are, at places that are free: list $ NAME CONTAINER. A parent chart has others. */}}
{{- define "sidecar.validateMounts" -}}
{{- $root := index . 0 -}}
{{- $name := index . 1 -}}
{{- $owners := include "sidecar.volumeOwners" $root | fromJson -}}
{{- $places := dict "proxy" (list "/etc/nginx") "logScraper" (list "/var/lib/log-scraper") | dig $name list -}}
{{- if and (eq $name "proxy") $root.Values.proxy.lastGood }}{{ $places = append $places "/var/lib/proxy" }}{{ end -}}
{{- if eq $name "logScraper" -}}
{{- range include "sidecar.logStoreMounts" $root | fromYamlArray }}{{ $places = append $places .mountPath }}{{ end -}}
{{- end -}}
{{- if ne $name "proxy" -}}
{{- range include "sidecar.logVolumes" $root | fromJsonArray }}{{ $places = append $places .folder }}{{ end -}}
{{- end -}}
{{- range $index, $mount := (index . 2).extraVolumeMounts -}}
{{- $path := printf "%s.extraVolumeMounts[%d]" $name $index -}}
{{- if and $root.Values.workload.enabled (not (hasKey $owners $mount.name)) -}}
{{- fail (printf "%s.name %s is no volume: add it to extraVolumes" $path $mount.name) -}}
{{- end -}}
{{- $place := trimSuffix "/" $mount.mountPath -}}
{{- if has $place $places -}}
{{- fail (printf "%s.mountPath %s has a volume already" $path $mount.mountPath) -}}
{{- end -}}
{{- $places = append $places $place -}}
{{- end -}}
{{- end -}}

{{/* A name that stands twice hides the first one's value: list NAME ENV. */}}
{{- define "sidecar.validateEnv" -}}
{{- $name := first . -}}
{{- $names := list -}}
{{- range $index, $variable := last . -}}
{{- if has $variable.name $names -}}
{{- fail (printf "%s.env[%d].name %s stands there twice" $name $index $variable.name) -}}
{{- end -}}
{{- if and $variable.value $variable.valueFrom -}}
{{- fail (printf "%s.env[%d] (%s) has both value and valueFrom" $name $index $variable.name) -}}
{{- end -}}
{{- $names = append $names $variable.name -}}
{{- end -}}
{{- end -}}

{{/* A request beyond its limit: list NAME RESOURCES. */}}
{{- define "sidecar.validateResources" -}}
{{- $name := first . -}}
{{- $limits := (last .).limits | default dict -}}
{{- range $resource, $request := (last .).requests -}}
{{- $limit := get $limits $resource -}}
{{- if and (hasKey $limits $resource) (gt (include "sidecar.quantity" $request | float64) (include "sidecar.quantity" $limit | float64)) -}}
{{- fail (printf "%s.resources.requests.%s %v is more than its limit %v" $name $resource $request $limit) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* A quantity as a number. */}}
{{- define "sidecar.quantity" -}}
{{- $units := dict "n" 1e-9 "u" 1e-6 "m" 1e-3 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "P" 1e15 "E" 1e18 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 "Pi" 1125899906842624 "Ei" 1152921504606846976 -}}
{{- $text := toString . -}}
{{- $unit := regexFind "([numkMGTPE]|[KMGTPE]i)$" $text -}}
{{- mulf (trimSuffix $unit $text | float64) (get $units $unit | default 1 | float64) | printf "%.9f" -}}
{{- end -}}

{{/* What the kubelet or the API server refuses: list NAME CONTEXT POD'S. */}}
{{- define "sidecar.validateSecurity" -}}
{{- $path := printf "%s.securityContext" (index . 0) -}}
{{- $own := index . 1 -}}
{{- $both := deepCopy (index . 2) -}}
{{- range $key, $value := $own }}{{ $_ := set $both $key $value }}{{ end -}}
{{- if and $both.runAsNonRoot (not (kindIs "invalid" $both.runAsUser)) (eq (int $both.runAsUser) 0) -}}
{{- fail (printf "%s: runAsUser 0 is root, which runAsNonRoot forbids" $path) -}}
{{- end -}}
{{- if and $own.privileged (eq false (dig "allowPrivilegeEscalation" true $own)) -}}
{{- fail (printf "%s: privileged and allowPrivilegeEscalation false exclude each other" $path) -}}
{{- end -}}
{{- end -}}
