"""The numbers of Kubernetes' protobuf fields: a message's n-th word is its field n (`-`: none, or one that is no more).

A word with a star is a struct that Go embeds: a message of its own here, but its fields stand beside the others in JSON.
Numbers never change once given, so this only grows. Source: generated.proto of each package of k8s.io/api and
k8s.io/apimachinery.
"""

NUMBERS = """
[apps_v1]
Deployment metadata spec status
DeploymentCondition type status - reason message lastUpdateTime lastTransitionTime
DeploymentSpec replicas selector template strategy minReadySeconds revisionHistoryLimit paused -
    progressDeadlineSeconds
DeploymentStatus observedGeneration replicas updatedReplicas availableReplicas unavailableReplicas conditions
    readyReplicas collisionCount terminatingReplicas
DeploymentStrategy type rollingUpdate
ReplicaSet metadata spec status
ReplicaSetCondition type status lastTransitionTime reason message
ReplicaSetSpec replicas selector template minReadySeconds
ReplicaSetStatus replicas fullyLabeledReplicas observedGeneration readyReplicas availableReplicas conditions
    terminatingReplicas
RollingUpdateDeployment maxUnavailable maxSurge
[authentication_v1]
BoundObjectReference kind apiVersion name uid
SelfSubjectReview metadata status
SelfSubjectReviewStatus userInfo
TokenRequest metadata spec status
TokenRequestSpec audiences - boundObjectRef expirationSeconds
TokenRequestStatus token expirationTimestamp
UserInfo username uid groups
[authorization_v1]
FieldSelectorAttributes rawSelector requirements
LabelSelectorAttributes rawSelector requirements
NonResourceAttributes path verb
ResourceAttributes namespace verb group version resource subresource name fieldSelector labelSelector
SelfSubjectAccessReview metadata spec status
SelfSubjectAccessReviewSpec resourceAttributes nonResourceAttributes
SubjectAccessReviewStatus allowed reason evaluationError denied
[autoscaling_v1]
Scale metadata spec status
ScaleSpec replicas
ScaleStatus replicas selector
[coordination_v1]
Lease metadata spec
LeaseSpec holderIdentity leaseDurationSeconds acquireTime renewTime leaseTransitions strategy preferredHolder
[core_v1]
AWSElasticBlockStoreVolumeSource volumeID fsType partition readOnly
Affinity nodeAffinity podAffinity podAntiAffinity
AppArmorProfile type localhostProfile
AttachedVolume name devicePath
AzureDiskVolumeSource diskName diskURI cachingMode fsType readOnly kind
AzureFilePersistentVolumeSource secretName shareName readOnly secretNamespace
AzureFileVolumeSource secretName shareName readOnly
Binding metadata target
CSIPersistentVolumeSource driver volumeHandle readOnly fsType volumeAttributes controllerPublishSecretRef
    nodeStageSecretRef nodePublishSecretRef
CSIVolumeSource driver readOnly fsType volumeAttributes nodePublishSecretRef
Capabilities add drop
CephFSPersistentVolumeSource monitors path user secretFile secretRef readOnly
CephFSVolumeSource monitors path user secretFile secretRef readOnly
CinderPersistentVolumeSource volumeID fsType readOnly secretRef
CinderVolumeSource volumeID fsType readOnly secretRef
ClientIPConfig timeoutSeconds
ClusterTrustBundleProjection name signerName labelSelector path optional
ConfigMap metadata data binaryData immutable
ConfigMapEnvSource *LocalObjectReference optional
ConfigMapKeySelector *LocalObjectReference key optional
ConfigMapNodeConfigSource namespace name uid resourceVersion kubeletConfigKey
ConfigMapProjection *LocalObjectReference items - optional
ConfigMapVolumeSource *LocalObjectReference items defaultMode optional
Container name image command args workingDir ports env resources volumeMounts livenessProbe readinessProbe lifecycle
    terminationMessagePath imagePullPolicy securityContext stdin stdinOnce tty envFrom terminationMessagePolicy
    volumeDevices startupProbe resizePolicy restartPolicy restartPolicyRules
ContainerImage names sizeBytes
ContainerPort name hostPort containerPort protocol hostIP
ContainerResizePolicy resourceName restartPolicy
ContainerState waiting running terminated
ContainerStateRunning startedAt
ContainerStateTerminated exitCode signal reason message startedAt finishedAt containerID
ContainerStateWaiting reason message
ContainerStatus name state lastState ready restartCount image imageID containerID started allocatedResources resources
    volumeMounts user
DaemonEndpoint Port
DownwardAPIProjection items
DownwardAPIVolumeFile path fieldRef resourceFieldRef mode
DownwardAPIVolumeSource items defaultMode
EmptyDirVolumeSource medium sizeLimit
EndpointAddress ip targetRef hostname nodeName
EndpointPort name port protocol appProtocol
EndpointSubset addresses notReadyAddresses ports
Endpoints metadata subsets
EnvFromSource prefix configMapRef secretRef
EnvVar name value valueFrom
EnvVarSource fieldRef resourceFieldRef configMapKeyRef secretKeyRef
EphemeralContainer *EphemeralContainerCommon targetContainerName
EphemeralContainerCommon name image command args workingDir ports env resources volumeMounts livenessProbe
    readinessProbe lifecycle terminationMessagePath imagePullPolicy securityContext stdin stdinOnce tty envFrom
    terminationMessagePolicy volumeDevices startupProbe resizePolicy restartPolicy restartPolicyRules
EphemeralVolumeSource volumeClaimTemplate
Event metadata involvedObject reason message source firstTimestamp lastTimestamp count type eventTime series action
    related reportingComponent reportingInstance
EventSeries count lastObservedTime
EventSource component host
ExecAction command
FCVolumeSource targetWWNs lun fsType readOnly wwids
FlexPersistentVolumeSource driver fsType secretRef readOnly options
FlexVolumeSource driver fsType secretRef readOnly options
FlockerVolumeSource datasetName datasetUUID
GCEPersistentDiskVolumeSource pdName fsType partition readOnly
GRPCAction port service
GitRepoVolumeSource repository revision directory
GlusterfsPersistentVolumeSource endpoints path readOnly endpointsNamespace
GlusterfsVolumeSource endpoints path readOnly
HTTPGetAction path port host scheme httpHeaders
HTTPHeader name value
HostAlias ip hostnames
HostIP ip
HostPathVolumeSource path type
ISCSIPersistentVolumeSource targetPortal iqn lun iscsiInterface fsType readOnly portals chapAuthDiscovery - secretRef
    chapAuthSession initiatorName
ISCSIVolumeSource targetPortal iqn lun iscsiInterface fsType readOnly portals chapAuthDiscovery - secretRef
    chapAuthSession initiatorName
ImageVolumeSource reference pullPolicy
KeyToPath key path mode
Lifecycle postStart preStop stopSignal
LifecycleHandler exec httpGet tcpSocket sleep
LoadBalancerIngress ip hostname ipMode ports
LoadBalancerStatus ingress
LocalObjectReference name
LocalVolumeSource path fsType
NFSVolumeSource server path readOnly
Namespace metadata spec status
NamespaceSpec finalizers
NamespaceStatus phase
Node metadata spec status
NodeAddress type address
NodeAffinity requiredDuringSchedulingIgnoredDuringExecution preferredDuringSchedulingIgnoredDuringExecution
NodeCondition type status lastHeartbeatTime lastTransitionTime reason message
NodeConfigSource - configMap
NodeConfigStatus assigned active lastKnownGood error
NodeDaemonEndpoints kubeletEndpoint
NodeSelector nodeSelectorTerms
NodeSelectorRequirement key operator values
NodeSelectorTerm matchExpressions matchFields
NodeSpec podCIDR externalID providerID unschedulable taints configSource podCIDRs
NodeStatus capacity allocatable phase conditions addresses daemonEndpoints nodeInfo images volumesInUse
    volumesAttached config
NodeSystemInfo machineID systemUUID bootID kernelVersion osImage containerRuntimeVersion kubeletVersion
    kubeProxyVersion operatingSystem architecture
ObjectFieldSelector apiVersion fieldPath
ObjectReference kind namespace name uid apiVersion resourceVersion fieldPath
PersistentVolume metadata spec status
PersistentVolumeClaim metadata spec status
PersistentVolumeClaimCondition type status lastProbeTime lastTransitionTime reason message
PersistentVolumeClaimSpec accessModes resources volumeName selector storageClassName volumeMode dataSource
    dataSourceRef volumeAttributesClassName
PersistentVolumeClaimStatus phase accessModes capacity conditions
PersistentVolumeClaimTemplate metadata spec
PersistentVolumeClaimVolumeSource claimName readOnly
PersistentVolumeSource gcePersistentDisk awsElasticBlockStore hostPath glusterfs nfs rbd iscsi cinder cephfs fc
    flocker flexVolume azureFile vsphereVolume quobyte azureDisk photonPersistentDisk portworxVolume scaleIO local
    storageos csi
PersistentVolumeSpec capacity *PersistentVolumeSource accessModes claimRef persistentVolumeReclaimPolicy
    storageClassName mountOptions volumeMode nodeAffinity
PersistentVolumeStatus phase message reason lastPhaseTransitionTime
PhotonPersistentDiskVolumeSource pdID fsType
Pod metadata spec status
PodAffinity requiredDuringSchedulingIgnoredDuringExecution preferredDuringSchedulingIgnoredDuringExecution
PodAffinityTerm labelSelector namespaces topologyKey namespaceSelector matchLabelKeys mismatchLabelKeys
PodAntiAffinity requiredDuringSchedulingIgnoredDuringExecution preferredDuringSchedulingIgnoredDuringExecution
PodCondition type status lastProbeTime lastTransitionTime reason message observedGeneration
PodDNSConfig nameservers searches options
PodDNSConfigOption name value
PodIP ip
PodOS name
PodReadinessGate conditionType
PodResourceClaim name - resourceClaimName resourceClaimTemplateName
PodSchedulingGate name
PodSecurityContext seLinuxOptions runAsUser runAsNonRoot supplementalGroups fsGroup runAsGroup sysctls windowsOptions
    fsGroupChangePolicy seccompProfile appArmorProfile supplementalGroupsPolicy seLinuxChangePolicy
PodSpec volumes containers restartPolicy terminationGracePeriodSeconds activeDeadlineSeconds dnsPolicy nodeSelector
    serviceAccountName serviceAccount nodeName hostNetwork hostPID hostIPC securityContext imagePullSecrets hostname
    subdomain affinity schedulerName initContainers automountServiceAccountToken tolerations hostAliases
    priorityClassName priority dnsConfig shareProcessNamespace readinessGates runtimeClassName enableServiceLinks
    preemptionPolicy overhead topologySpreadConstraints ephemeralContainers setHostnameAsFQDN os hostUsers
    schedulingGates resourceClaims resources hostnameOverride
PodStatus phase conditions message reason hostIP podIP startTime containerStatuses qosClass initContainerStatuses
    nominatedNodeName podIPs ephemeralContainerStatuses resize resourceClaimStatuses hostIPs observedGeneration
PodTemplateSpec metadata spec
PortStatus port protocol error
PortworxVolumeSource volumeID fsType readOnly
PreferredSchedulingTerm weight preference
Probe *ProbeHandler initialDelaySeconds timeoutSeconds periodSeconds successThreshold failureThreshold
    terminationGracePeriodSeconds
ProbeHandler exec httpGet tcpSocket grpc
ProjectedVolumeSource sources defaultMode
QuobyteVolumeSource registry volume readOnly user group tenant
RBDPersistentVolumeSource monitors image fsType pool user keyring secretRef readOnly
RBDVolumeSource monitors image fsType pool user keyring secretRef readOnly
ResourceClaim name request
ResourceFieldSelector containerName resource divisor
ResourceRequirements limits requests claims
SELinuxOptions user role type level
ScaleIOPersistentVolumeSource gateway system secretRef sslEnabled protectionDomain storagePool storageMode volumeName
    fsType readOnly
ScaleIOVolumeSource gateway system secretRef sslEnabled protectionDomain storagePool storageMode volumeName fsType
    readOnly
SeccompProfile type localhostProfile
Secret metadata data type stringData immutable
SecretEnvSource *LocalObjectReference optional
SecretKeySelector *LocalObjectReference key optional
SecretProjection *LocalObjectReference items - optional
SecretReference name namespace
SecretVolumeSource secretName items defaultMode optional
SecurityContext capabilities privileged seLinuxOptions runAsUser runAsNonRoot readOnlyRootFilesystem
    allowPrivilegeEscalation runAsGroup procMount windowsOptions seccompProfile appArmorProfile
Service metadata spec status
ServiceAccount metadata secrets imagePullSecrets automountServiceAccountToken
ServiceAccountTokenProjection audience expirationSeconds path
ServicePort name protocol port targetPort nodePort appProtocol
ServiceSpec ports selector clusterIP type externalIPs - sessionAffinity loadBalancerIP loadBalancerSourceRanges
    externalName externalTrafficPolicy healthCheckNodePort publishNotReadyAddresses sessionAffinityConfig - -
    ipFamilyPolicy clusterIPs ipFamilies allocateLoadBalancerNodePorts loadBalancerClass internalTrafficPolicy
    trafficDistribution
ServiceStatus loadBalancer conditions
SessionAffinityConfig clientIP
SleepAction seconds
StorageOSPersistentVolumeSource volumeName volumeNamespace fsType readOnly secretRef
StorageOSVolumeSource volumeName volumeNamespace fsType readOnly secretRef
Sysctl name value
TCPSocketAction port host
Taint key value effect timeAdded
Toleration key operator value effect tolerationSeconds
TopologySelectorLabelRequirement key values
TopologySelectorTerm matchLabelExpressions
TopologySpreadConstraint maxSkew topologyKey whenUnsatisfiable labelSelector minDomains nodeAffinityPolicy
    nodeTaintsPolicy matchLabelKeys
TypedLocalObjectReference apiGroup kind name
TypedObjectReference apiGroup kind name namespace
Volume name *VolumeSource
VolumeDevice name devicePath
VolumeMount name readOnly mountPath subPath mountPropagation subPathExpr recursiveReadOnly
VolumeNodeAffinity required
VolumeProjection secret downwardAPI configMap serviceAccountToken clusterTrustBundle
VolumeResourceRequirements limits requests
VolumeSource hostPath emptyDir gcePersistentDisk awsElasticBlockStore gitRepo secret nfs iscsi glusterfs
    persistentVolumeClaim rbd flexVolume cinder cephfs flocker downwardAPI fc azureFile configMap vsphereVolume
    quobyte azureDisk photonPersistentDisk portworxVolume scaleIO projected storageos csi ephemeral image
VsphereVirtualDiskVolumeSource volumePath fsType storagePolicyName storagePolicyID
WeightedPodAffinityTerm weight podAffinityTerm
WindowsSecurityContextOptions gmsaCredentialSpecName gmsaCredentialSpec runAsUserName hostProcess
[discovery_v1]
Endpoint addresses conditions hostname targetRef deprecatedTopology nodeName zone hints
EndpointConditions ready serving terminating
EndpointHints forZones forNodes
EndpointPort name protocol port appProtocol
EndpointSlice metadata endpoints ports addressType
ForNode name
ForZone name
[meta_v1]
Condition type status observedGeneration lastTransitionTime reason message
DeleteOptions gracePeriodSeconds preconditions orphanDependents propagationPolicy dryRun
FieldSelectorRequirement key operator values
LabelSelector matchLabels matchExpressions
LabelSelectorRequirement key operator values
ManagedFieldsEntry manager operation apiVersion time - fieldsType fieldsV1 subresource
ObjectMeta name generateName namespace selfLink uid resourceVersion generation creationTimestamp deletionTimestamp
    deletionGracePeriodSeconds labels annotations ownerReferences finalizers - - managedFields
OwnerReference kind - name uid apiVersion controller blockOwnerDeletion
Preconditions uid
[policy_v1]
Eviction metadata deleteOptions
[storage_v1]
StorageClass metadata provisioner parameters reclaimPolicy mountOptions allowVolumeExpansion volumeBindingMode
    allowedTopologies
"""
