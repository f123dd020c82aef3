{{- define "batchsched.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{- /* What everything is called: the release, with the chart's name in it. Room is left for the roles' own suffixes. */ -}}
{{- define "batchsched.fullname" -}}
{{- $name := include "batchsched.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "batchsched.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "batchsched.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- required "serviceAccount.name is needed where serviceAccount.create is false" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "batchsched.selector" -}}
app.kubernetes.io/name: {{ include "batchsched.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: scheduler
{{- end -}}

{{- define "batchsched.labels" -}}
app.kubernetes.io/name: {{ include "batchsched.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/part-of: batchsched
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "batchsched.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}
{{- end -}}

{{- /* The configuration as a file, complete. */ -}}
{{- define "batchsched.configuration" -}}
apiVersion: batchsched.io/v1alpha1
kind: SchedulerConfiguration
{{ toYaml .Values.configuration }}
{{- end -}}

{{- /* Name and namespace of the Lease. */ -}}
{{- define "batchsched.lease" -}}
{{- $election := default dict .Values.configuration.leaderElection -}}
name: {{ default "batchsched" $election.resourceName }}
namespace: {{ default .Release.Namespace $election.resourceNamespace }}
elects: {{ ne (toString $election.leaderElect) "false" }}
{{- end -}}

{{- /* Whether pods may be evicted: some profile preempts. */ -}}
{{- define "batchsched.preempts" -}}
{{- range .Values.configuration.profiles -}}
{{- if eq (toString .preemption) "LowerPriority" -}}true{{- end -}}
{{- end -}}
{{- end -}}

{{- /* Whether pods may be deleted: half-started gangs are released unless they must be completed. */ -}}
{{- define "batchsched.releases" -}}
{{- $gang := default dict .Values.configuration.gang -}}
{{- if ne (toString $gang.onPartial) "Complete" -}}true{{- end -}}
{{- end -}}

{{- /* The port of health and metrics. */ -}}
{{- define "batchsched.port" -}}
{{- default "0.0.0.0:10251" .Values.configuration.healthzBindAddress | splitList ":" | last -}}
{{- end -}}

{{- define "batchsched.metricsPort" -}}
{{- default "0.0.0.0:10251" .Values.configuration.metricsBindAddress | splitList ":" | last -}}
{{- end -}}

{{- /* A file of shared/, as a dict with `items`: manifests with their names and labels made this release's. */ -}}
{{- define "batchsched.shared" -}}
{{- $top := index . 0 -}}
{{- $items := list -}}
{{- range splitList "\n---\n" ($top.Files.Get (index . 1)) -}}
{{- $object := fromYaml . -}}
{{- $meta := $object.metadata -}}
{{- $_ := set $meta "name" ($meta.name | replace "batchsched" (include "batchsched.fullname" $top)) -}}
{{- if $meta.namespace -}}{{- $_ := set $meta "namespace" $top.Release.Namespace -}}{{- end -}}
{{- $_ := set $meta "labels" (include "batchsched.labels" $top | fromYaml) -}}
{{- $items = append $items $object -}}
{{- end -}}
{{- toYaml (dict "items" $items) -}}
{{- end -}}
