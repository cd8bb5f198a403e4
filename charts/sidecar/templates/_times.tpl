{{/*
How long each part of the pod takes to end, in one place: the application goes on serving while its
endpoints are removed, the proxy waits for open connections, and the log scraper sees the last lines.
*/}}

{{/*
Seconds, as JSON. drain: the application serves after the pod was told to end. grace: the pod has in
all. left: for what comes after the drain, less five for the log scraper.
*/}}
{{- define "sidecar.times" -}}
{{- $drain := (((.Values.app.lifecycle).preStop).sleep).seconds | default .Values.drainSeconds | int -}}
{{- $grace := add $drain 25 | int -}}
{{- if not (kindIs "invalid" .Values.terminationGracePeriodSeconds) }}{{ $grace = int .Values.terminationGracePeriodSeconds }}{{ end -}}
{{- dict "drain" $drain "grace" $grace "left" (max 1 (sub $grace (add $drain 5))) | toJson -}}
{{- end -}}

{{/* Seconds a pod has to end. */}}
{{- define "sidecar.gracePeriod" -}}
{{- (include "sidecar.times" . | fromJson).grace -}}
{{- end -}}

{{/*
How long the log scraper goes on after SIGTERM while the files are written to. A plain container is told
to end before the application has.
*/}}
{{- define "sidecar.scraperGracePeriod" -}}
{{- if .Values.logScraper.shutdownGracePeriod -}}
{{- .Values.logScraper.shutdownGracePeriod -}}
{{- else if not (include "sidecar.isNative" (list . .Values.logScraper)) -}}
{{- (include "sidecar.times" . | fromJson).left }}s
{{- end -}}
{{- end -}}

{{- define "sidecar.validateTimes" -}}
{{- $times := include "sidecar.times" . | fromJson -}}
{{- $own := (((.Values.app.lifecycle).preStop).sleep).seconds -}}
{{- if le (int $times.grace) (int $times.drain) -}}
{{- fail (printf "terminationGracePeriodSeconds %v is no longer than %s %v: nothing would be left for the application to end in" $times.grace (ternary "app.lifecycle.preStop.sleep.seconds" "drainSeconds" (not (empty $own))) $times.drain) -}}
{{- end -}}
{{- $given := .Values.logScraper.shutdownGracePeriod | default "0s" -}}
{{- $units := dict "ms" 0.001 "s" 1 "m" 60 "h" 3600 -}}
{{- $seconds := mulf (regexFind "^[0-9]+" $given | float64) (get $units (regexFind "[a-z]+$" $given) | default 1 | float64) -}}
{{- if ge $seconds (float64 $times.grace) -}}
{{- fail (printf "logScraper.shutdownGracePeriod %s is no shorter than terminationGracePeriodSeconds %v: the log scraper would be killed in it" $given $times.grace) -}}
{{- end -}}
{{- end -}}
