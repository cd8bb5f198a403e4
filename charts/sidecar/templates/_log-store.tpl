{{/* Where the log scraper's records go that are not for standard output alone. */}}

{{/* Whether there is a log store, "true" or nothing. */}}
{{- define "sidecar.hasLogStore" -}}
{{- if and .Values.logScraper.enabled (ne .Values.logScraper.output.type "stdout") }}true{{ end -}}
{{- end -}}

{{/* What identifies the pod's records, as JSON: list $ "labels" or "attributes"; the user's go over the chart's. */}}
{{- define "sidecar.logStorePairs" -}}
{{- $root := first . -}}
{{- $own := dict
  "labels" (dict "service.name" (include "sidecar.fullname" $root) "k8s.namespace.name" $root.Release.Namespace)
  "attributes" (dict "k8s.pod.name" "$(POD_NAME)" "k8s.node.name" "$(NODE_NAME)" "k8s.container.name" "app") -}}
{{- $pairs := get $own (last .) -}}
{{- range $name, $value := include "sidecar.map" (list $root (get $root.Values.logScraper.output (last .))) | fromJson -}}
{{- if $value }}{{ $_ := set $pairs $name $value }}{{ else }}{{ $pairs = omit $pairs $name }}{{ end -}}
{{- end -}}
{{- toJson $pairs -}}
{{- end -}}

{{/* Arguments, as JSON. */}}
{{- define "sidecar.logStoreArgs" -}}
{{- $args := list -}}
{{- if include "sidecar.hasLogStore" . -}}
{{- $output := .Values.logScraper.output -}}
{{- $args = list (printf "--output=%s" $output.type) (printf "--url=%s" (tpl $output.url .)) -}}
{{- if $output.tee }}{{ $args = append $args "--tee" }}{{ end -}}
{{- range $kind := list "labels" "attributes" -}}
{{- range $name, $value := include "sidecar.logStorePairs" (list $ $kind) | fromJson -}}
{{- $args = append $args (printf "--%s=%s=%s" (trimSuffix "s" $kind) $name $value) -}}
{{- end -}}
{{- end -}}
{{- range $name, $value := $output.headers }}{{ $args = append $args (printf "--header=%s=%s" $name $value) }}{{ end -}}
{{- $folder := "/etc/log-scraper/credentials" -}}
{{- range $name, $key := $output.auth.headerKeys }}{{ $args = append $args (printf "--header-file=%s=%s/%s" $name $folder $key) }}{{ end -}}
{{- with $output.auth.bearerTokenKey }}{{ $args = append $args (printf "--bearer-token-file=%s/%s" $folder .) }}{{ end -}}
{{- with $output.auth.basicAuthKey }}{{ $args = append $args (printf "--basic-auth-file=%s/%s" $folder .) }}{{ end -}}
{{- if or $output.tls.existingSecret $output.tls.existingConfigMap -}}
{{- $args = append $args (printf "--ca-file=/etc/log-scraper/ca/%s" $output.tls.caKey) -}}
{{- end -}}
{{- with $output.tls.clientCertificate -}}
{{- if .existingSecret -}}
{{- $folder = "/etc/log-scraper/client" -}}
{{- $args = concat $args (list (printf "--client-cert=%s/%s" $folder .certKey) (printf "--client-key=%s/%s" $folder .privateKeyKey)) -}}
{{- end -}}
{{- end -}}
{{- range $flag, $value := dict
  "server-name" $output.tls.serverName
  "index" $output.index
  "http-proxy" $output.httpProxy -}}
{{- with $value }}{{ $args = append $args (printf "--%s=%s" $flag .) }}{{ end -}}
{{- end -}}
{{- /* What is as the program has it anyway is left out. */ -}}
{{- range $flag := list
  (list "compression" $output.compression "gzip")
  (list "compression-level" ($output.compressionLevel | int) 1)
  (list "severity" $output.severity "auto")
  (list "otlp-encoding" $output.otlpEncoding "protobuf")
  (list "time-field" $output.fields.time "@timestamp")
  (list "message-field" $output.fields.message "message")
  (list "file-field" $output.fields.file "file")
  (list "batch-max-bytes" $output.batch.maxBytes "1MiB")
  (list "batch-timeout" $output.batch.timeout "1s")
  (list "max-record-bytes" $output.maxRecordBytes "256KiB")
  (list "long-record" $output.longRecord "split")
  (list "request-timeout" $output.requestTimeout "30s") -}}
{{- if ne (index $flag 1) (index $flag 2) }}{{ $args = append $args (printf "--%s=%v" (index $flag 0) (index $flag 1)) }}{{ end -}}
{{- end -}}
{{- end -}}
{{- toJson $args -}}
{{- end -}}

{{/* Environment, as JSON: what the arguments say of the pod, then the user's. */}}
{{- define "sidecar.logScraperEnv" -}}
{{- $env := .Values.logScraper.env | default list -}}
{{- if include "sidecar.hasLogStore" . -}}
{{- $names := list -}}
{{- range $env }}{{ $names = append $names .name }}{{ end -}}
{{- $own := list -}}
{{- range $name, $path := dict "POD_NAME" "metadata.name" "NODE_NAME" "spec.nodeName" -}}
{{- if not (has $name $names) -}}
{{- $own = append $own (dict "name" $name "valueFrom" (dict "fieldRef" (dict "fieldPath" $path))) -}}
{{- end -}}
{{- end -}}
{{- $env = concat $own $env -}}
{{- end -}}
{{- toJson $env -}}
{{- end -}}

{{/* Mounts of what the store is reached with, as list items, or nothing. */}}
{{- define "sidecar.logStoreMounts" -}}
{{- if include "sidecar.hasLogStore" . -}}
{{- $output := .Values.logScraper.output -}}
{{- if $output.auth.existingSecret }}
- name: log-store-credentials
  mountPath: /etc/log-scraper/credentials
  readOnly: true
{{- end }}
{{- if or $output.tls.existingSecret $output.tls.existingConfigMap }}
- name: log-store-ca
  mountPath: /etc/log-scraper/ca
  readOnly: true
{{- end }}
{{- if $output.tls.clientCertificate.existingSecret }}
- name: log-store-client
  mountPath: /etc/log-scraper/client
  readOnly: true
{{- end }}
{{- end -}}
{{- end -}}

{{/* Their volumes. */}}
{{- define "sidecar.logStoreVolumes" -}}
{{- if include "sidecar.hasLogStore" . -}}
{{- $output := .Values.logScraper.output -}}
{{- with $output.auth.existingSecret }}
- name: log-store-credentials
  secret:
    secretName: {{ tpl . $ | quote }}
{{- end }}
{{- with $output.tls.existingSecret }}
- name: log-store-ca
  secret:
    secretName: {{ tpl . $ | quote }}
    items:
      - key: {{ $output.tls.caKey | quote }}
        path: {{ $output.tls.caKey | quote }}
{{- end }}
{{- with $output.tls.existingConfigMap }}
- name: log-store-ca
  configMap:
    name: {{ tpl . $ | quote }}
{{- end }}
{{- with $output.tls.clientCertificate }}
{{- if .existingSecret }}
- name: log-store-client
  secret:
    secretName: {{ tpl .existingSecret $ | quote }}
    items:
      - key: {{ .certKey | quote }}
        path: {{ .certKey | quote }}
      - key: {{ .privateKeyKey | quote }}
        path: {{ .privateKeyKey | quote }}
{{- end }}
{{- end }}
{{- end -}}
{{- end -}}

{{/* Port of the store, or of the proxy on the way to it, as the address says. */}}
{{- define "sidecar.logStorePort" -}}
{{- $output := .Values.logScraper.output -}}
{{- $url := tpl $output.url . -}}
{{- if hasPrefix "http" $output.httpProxy }}{{ $url = $output.httpProxy }}{{ end -}}
{{- $port := regexFind ":[0-9]+$" (urlParse $url).host | trimPrefix ":" -}}
{{- $port | default (ternary "443" "80" (hasPrefix "https:" $url)) -}}
{{- end -}}

{{- define "sidecar.validateLogStore" -}}
{{- $output := .Values.logScraper.output -}}
{{- $auth := $output.auth -}}
{{- $tls := $output.tls -}}
{{- if eq $output.type "stdout" -}}
{{- range $name := list "url" "tee" "index" "httpProxy" -}}
{{- if get $output $name -}}
{{- fail (printf "logScraper.output.%s is for log stores: set logScraper.output.type to otlp, loki, ndjson or elasticsearch" $name) -}}
{{- end -}}
{{- end -}}
{{- else -}}
{{- $url := tpl $output.url . -}}
{{- if not (regexMatch "^https?://[^/@ ]+(/[^ ]*)?$" $url) -}}
{{- fail (printf "logScraper.output.url %q is no address of a log store: http://HOST:PORT, with a path or without; credentials come by logScraper.output.auth" $url) -}}
{{- end -}}
{{- range $name, $address := dict "url" $url "httpProxy" $output.httpProxy -}}
{{- $port := regexFind ":[0-9]+$" (urlParse $address).host | trimPrefix ":" -}}
{{- if and $port (or (lt (atoi $port) 1) (gt (atoi $port) 65535)) -}}
{{- fail (printf "logScraper.output.%s: port %s is not within 1 to 65535" $name $port) -}}
{{- end -}}
{{- end -}}
{{- if and $output.index (ne $output.type "elasticsearch") -}}
{{- fail "logScraper.output.index is for logScraper.output.type elasticsearch" -}}
{{- end -}}
{{- if and (or $tls.existingSecret $tls.existingConfigMap $tls.serverName $tls.clientCertificate.existingSecret) (not (hasPrefix "https:" $url)) -}}
{{- fail "logScraper.output.tls is for an address that begins with https://" -}}
{{- end -}}
{{- with .Values.logScraper -}}
{{- if or (ne .format "raw") .prefix -}}
{{- fail "logScraper.format and logScraper.prefix are for logScraper.output.type stdout: a store gets records" -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and $auth.bearerTokenKey $auth.basicAuthKey -}}
{{- fail "logScraper.output.auth.bearerTokenKey and basicAuthKey exclude each other: name one of them" -}}
{{- end -}}
{{- if and (or $auth.bearerTokenKey $auth.basicAuthKey $auth.headerKeys) (not $auth.existingSecret) -}}
{{- fail "logScraper.output.auth names keys of a Secret: set logScraper.output.auth.existingSecret" -}}
{{- end -}}
{{- if and $auth.existingSecret (not (or $auth.bearerTokenKey $auth.basicAuthKey $auth.headerKeys)) -}}
{{- fail "logScraper.output.auth.existingSecret needs the key to take: bearerTokenKey, basicAuthKey or headerKeys" -}}
{{- end -}}
{{- if and $tls.existingSecret $tls.existingConfigMap -}}
{{- fail "logScraper.output.tls.existingSecret and existingConfigMap exclude each other: the certificates are in one of them" -}}
{{- end -}}
{{- end -}}
