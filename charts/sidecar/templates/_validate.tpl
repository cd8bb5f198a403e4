{{/* What no schema can say: values that are fine alone and wrong together. One sentence each. */}}
{{- define "sidecar.validate" -}}
{{- include "sidecar.validateName" . -}}
{{- include "sidecar.validateWorkload" . -}}
{{- include "sidecar.validateConfig" . -}}
{{- include "sidecar.validateListen" . -}}
{{- include "sidecar.validatePod" . -}}
{{- include "sidecar.validateService" . -}}
{{- include "sidecar.validatePorts" . -}}
{{- include "sidecar.validateLogPaths" . -}}
{{- include "sidecar.validateLogFormat" . -}}
{{- include "sidecar.validateLogStore" . -}}
{{- include "sidecar.validateKeepRotated" . -}}
{{- include "sidecar.validateTimes" . -}}
{{- include "sidecar.validateAutoscaling" . -}}
{{- include "sidecar.validateDisruptionBudget" . -}}
{{- include "sidecar.validateExposure" . -}}
{{- end -}}

{{/* A release may have a name that no Service can have: with dots, or with a digit first. */}}
{{- define "sidecar.validateName" -}}
{{- $name := include "sidecar.fullname" . -}}
{{- if not (regexMatch "^[a-z]([-a-z0-9]*[a-z0-9])?$" $name) -}}
{{- fail (printf "%s is no name for a Service, which begins with a letter and has lower-case letters, digits and - alone: set fullnameOverride" $name) -}}
{{- end -}}
{{- end -}}

{{/* The log scraper would refuse these, pod after pod. */}}
{{- define "sidecar.validateLogFormat" -}}
{{- with .Values.logScraper -}}
{{- if and (eq .format "json") .prefix -}}
{{- fail "logScraper.prefix is for logScraper.format raw: json names the file of each line anyway" -}}
{{- end -}}
{{- $lines := or (ne (.jsonLines | default "nest") "nest") (and (ne (.multiline | default "off") "off") (eq .output.type "stdout")) -}}
{{- if and (eq .format "raw") $lines -}}
{{- fail "logScraper.multiline and logScraper.jsonLines are for logScraper.format json: raw lines stay as they are" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "sidecar.validateKeepRotated" -}}
{{- with .Values.logScraper -}}
{{- if and .keepRotated (not .removeRotated) -}}
{{- fail "logScraper.keepRotated is for logScraper.removeRotated delivered: nothing is removed without that" -}}
{{- end -}}
{{- end -}}
{{- end -}}
