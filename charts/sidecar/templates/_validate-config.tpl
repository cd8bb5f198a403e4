{{/* What can be said of the proxy's configuration before the proxy reads it. */}}

{{- define "sidecar.validateConfig" -}}
{{- $proxy := .Values.proxy -}}
{{- $files := $proxy.files | default dict -}}
{{- if and $proxy.config $proxy.existingConfigMap -}}
{{- fail "proxy.config and proxy.existingConfigMap are both set: leave one of them empty" -}}
{{- end -}}
{{- if and $files $proxy.existingConfigMap -}}
{{- fail "proxy.files and proxy.existingConfigMap are both set: put the files into that ConfigMap" -}}
{{- end -}}
{{- if hasKey $files "nginx.conf" -}}
{{- fail "proxy.files.nginx.conf: the text of nginx.conf is proxy.config" -}}
{{- end -}}
{{- include "sidecar.validateText" (list "proxy.config" ($proxy.config | default "")) -}}
{{- $owners := dict -}}
{{- range $path, $text := $files -}}
{{- include "sidecar.validateText" (list (printf "proxy.files.%s" $path) $text) -}}
{{- $key := include "sidecar.fileKey" $path -}}
{{- if gt (len $key) 63 -}}
{{- fail (printf "proxy.files: %s is longer than 63 characters" $path) -}}
{{- end -}}
{{- with get $owners $key -}}
{{- fail (printf "proxy.files: %s and %s would both be the key %s of the ConfigMap" . $path $key) -}}
{{- end -}}
{{- $_ := set $owners $key $path -}}
{{- end -}}
{{- include "sidecar.validateConfigSize" . -}}
{{- end -}}

{{/* YAML cannot carry these, and helm would write an empty file without a word: list VALUE TEXT. */}}
{{- define "sidecar.validateText" -}}
{{- if regexMatch "[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f-\\x{9f}\\x{fffd}]" (last .) -}}
{{- fail (printf "%s holds control characters or is not UTF-8: it has to be the text of an nginx.conf" (first .)) -}}
{{- end -}}
{{- end -}}

{{/* Bytes that the API server takes: of a ConfigMap's data, and of a pod's annotations together. */}}
{{- define "sidecar.validateConfigSize" -}}
{{- $place := include "sidecar.proxyConfigPlace" . -}}
{{- $bytes := 0 -}}
{{- if eq $place "map" -}}
{{- range $path, $text := include "sidecar.proxyFiles" . | fromJson }}{{ $bytes = add $bytes (len $path) (len $text) }}{{ end -}}
{{- if gt $bytes 1048576 -}}
{{- fail (printf "proxy.config and proxy.files are %d bytes: a ConfigMap holds 1048576" $bytes) -}}
{{- end -}}
{{- else if eq $place "pod" -}}
{{- range $key, $text := include "sidecar.podAnnotations" . | fromYaml }}{{ $bytes = add $bytes (len $key) (len $text) }}{{ end -}}
{{- /* The pod of `helm test` that checks the configuration carries it too, beside its own. */ -}}
{{- if .Values.tests.enabled -}}
{{- $test := 0 -}}
{{- range $key, $text := include "sidecar.testAnnotations" . | fromYaml }}{{ $test = add $test (len $key) (len $text) }}{{ end -}}
{{- range $key, $text := include "sidecar.proxyConfigAnnotations" . | fromJson }}{{ $test = add $test (len $key) (len $text) }}{{ end -}}
{{- $bytes = max $bytes $test -}}
{{- end -}}
{{- if gt $bytes 262144 -}}
{{- fail (printf "proxy.config and proxy.files are annotations of the pods with proxy.reload rollout, which are %d bytes then: Kubernetes takes 262144. Take proxy.reload hot, or an existingConfigMap" $bytes) -}}
{{- end -}}
{{- end -}}
{{- end -}}
