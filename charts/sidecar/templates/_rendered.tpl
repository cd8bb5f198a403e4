{{/* Templates in values. Each text is rendered by itself, so that what comes out stays one text. */}}

{{/* A value with the templates in it rendered, list $ VALUE, as JSON under the key `value`. */}}
{{- define "sidecar.rendered" -}}
{{- $root := first . -}}
{{- $value := last . -}}
{{- if not (contains "{{" (toJson $value)) -}}
{{- else if kindIs "string" $value -}}
{{- $value = tpl $value $root -}}
{{- else if kindIs "map" $value -}}
{{- $map := dict -}}
{{- range $key, $inner := $value -}}
{{- $_ := set $map (tpl $key $root) (include "sidecar.rendered" (list $root $inner) | fromJson).value -}}
{{- end -}}
{{- $value = $map -}}
{{- else if kindIs "slice" $value -}}
{{- $list := list -}}
{{- range $inner := $value -}}
{{- $list = append $list (include "sidecar.rendered" (list $root $inner) | fromJson).value -}}
{{- end -}}
{{- $value = $list -}}
{{- end -}}
{{- dict "value" $value | toJson -}}
{{- end -}}

{{/* The same as YAML. */}}
{{- define "sidecar.yaml" -}}
{{- (include "sidecar.rendered" . | fromJson).value | toYaml -}}
{{- end -}}

{{/* A map of texts rendered, list $ MAP, as JSON; an empty one for nothing. */}}
{{- define "sidecar.map" -}}
{{- (include "sidecar.rendered" . | fromJson).value | default dict | toJson -}}
{{- end -}}
