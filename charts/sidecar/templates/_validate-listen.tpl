{{/*
Whether the given text listens where the Service leads. A text that does not is taken up by all pods
at once, and refuses every connection. What cannot be known here (an include of files from
elsewhere, a range of ports, a variable) is left to the proxy.
*/}}

{{- define "sidecar.validateListen" -}}
{{- $proxy := .Values.proxy -}}
{{- if and $proxy.config (not $proxy.args) (has (include "sidecar.proxyConfigPlace" .) (list "map" "pod")) -}}
{{- $texts := list $proxy.config -}}
{{- range $path, $text := $proxy.files }}{{ $texts = append $texts $text }}{{ end -}}
{{- $text := regexReplaceAll "(?m)(^|[\\s;{}])#.*$" (join "\n" $texts) "${1}" -}}
{{- $listens := regexFindAll "(^|[\\s;{}])listen\\s+[^;{}]*" $text -1 -}}
{{- $known := not (include "sidecar.includesUnknown" (list $text ($proxy.files | default dict))) -}}
{{- $heard := false -}}
{{- range $listen := $listens -}}
{{- $address := regexReplaceAll "^[\\s;{}]*listen\\s+[\"']?([^\\s\"']*).*$" (regexReplaceAll "\\s+" $listen " ") "${1}" -}}
{{- if or (contains "$" $address) (regexMatch "[0-9]-[0-9]+$" $address) -}}
{{- $known = false -}}
{{- else if not (regexMatch "^(127\\.|localhost(:|$)|\\[::1\\]|unix:)" $address) -}}
{{- $port := regexFind "(^|:)[0-9]+$" (regexReplaceAll "^\\[[^]]*\\]" $address "") | trimPrefix ":" | default "80" -}}
{{- if eq $port (toString (int $proxy.port)) }}{{ $heard = true }}{{ end -}}
{{- end -}}
{{- end -}}
{{- /* nginx: a server that does not say listens on port 80. */ -}}
{{- if and (not $listens) (regexMatch "(^|[\\s;{}])server\\s*[{]" $text) (eq (int $proxy.port) 80) }}{{ $heard = true }}{{ end -}}
{{- if and $known (not $heard) -}}
{{- fail (printf "proxy.config does not listen on proxy.port %d, where the Service leads to: let a server in it `listen %d`, or set proxy.port to the port that it listens on" (int $proxy.port) (int $proxy.port)) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Whether a text includes what is not among the files, list TEXT FILES: "true" or nothing. */}}
{{- define "sidecar.includesUnknown" -}}
{{- $files := last . -}}
{{- $unknown := false -}}
{{- range regexFindAll "(^|[\\s;{}])include\\s+[^\\s;{}]+" (first .) -1 -}}
{{- $target := regexReplaceAll "^[\\s;{}]*include\\s+[\"']?(/etc/nginx/)?([^\"']*).*$" . "${2}" -}}
{{- if regexMatch "[*?]" $target -}}
{{- if or (not $files) (hasPrefix "/" $target) }}{{ $unknown = true }}{{ end -}}
{{- else if not (or (hasKey $files $target) (eq $target "mime.types")) -}}
{{- $unknown = true -}}
{{- end -}}
{{- end -}}
{{- if $unknown }}true{{ end -}}
{{- end -}}
