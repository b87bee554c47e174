"""What `naru layers --as-vms` and `--memory --promise` say in Korean; `{}` stands for what a machine puts there."""

SENTENCES: dict[str, str] = {
    # the boxes
    "The boxes, if each pod were a virtual machine, and what containers do without:":
        "파드마다 가상 머신이었다면 있었을 상자들, 그리고 컨테이너에서는 없어도 되는 것:",
    "{} of {} boxes vanish{}": "상자 {1}개 가운데 {0}개가 사라진다{2}",
    "stays: the container runtime stands where the hypervisor stood":
        "남는다: 하이퍼바이저가 있던 자리에 컨테이너 런타임이 있다",
    "stays: the one kernel, which answers the system calls of all":
        "남는다: 커널은 하나이고, 모두의 시스템 호출에 답한다",
    "stays: processes of the host, in namespaces of their own":
        "남는다: 호스트의 프로세스이며, 저마다의 네임스페이스에 있다",
    "vanishes: same kernel as the host's, so system calls go straight to 2":
        "사라진다: 호스트와 커널이 같으므로 시스템 호출이 곧바로 2로 간다",
    "vanishes: no card is imitated and no driver drives it; a veth hands packets to the host's kernel":
        "사라진다: 흉내 낸 카드도 그 드라이버도 없다; veth가 패킷을 호스트 커널에 넘긴다",
    "vanishes: the pod has no network of its own": "사라진다: 이 파드에는 자기 네트워크가 없다",
    # the table
    "As virtual machines, {} guests (low .. typical .. high):":
        "가상 머신이라면, 게스트 {}개 (낮게 .. 보통 .. 높게):",
    # how it was computed
    "How it was computed:": "계산한 방법:",
    "the host's, and one per guest": "호스트의 것, 그리고 게스트마다 하나",
    "now: engine, containerd and a shim per container; then per guest VMM, init, agents, services":
        "지금: 엔진, containerd, 컨테이너마다 shim 하나; 가상 머신이라면 게스트마다 VMM, init, 에이전트, 서비스",
    "an imitated card and its driver per guest, a tap on the host for each; now: a veth, which is neither":
        "게스트마다 흉내 낸 카드와 그 드라이버, 호스트에는 저마다의 tap; 지금: 어느 쪽도 아닌 veth",
    "now: proportional memory of pods and shims. Per guest: alone + guestKernel + VMM, where VMM = vmm + vmmPerVcpu x vcpus"
    " + vmmOfRam x RAM; high: all of RAM + VMM; RAM = the most of ram and what is needed, in steps of {} MiB":
        "지금: 파드와 shim의 비례 몫. 게스트마다: alone + guestKernel + VMM, 여기서 VMM = vmm + vmmPerVcpu x vcpus +"
        " vmmOfRam x RAM; 높게: RAM 전부 + VMM; RAM = ram과 필요한 양 가운데 큰 것, {} MiB 단위",
    "now: each image once. Per guest: disk + imageCopies x its image":
        "지금: 이미지마다 한 번. 게스트마다: disk + imageCopies x 그 이미지",
    "now: each image once. Per guest: disk + imageCopies x its image; the images' sizes are not known":
        "지금: 이미지마다 한 번. 게스트마다: disk + imageCopies x 그 이미지; 이미지의 크기를 모른다",
    "one guest until its init or server; now: measured by make bench-vm":
        "게스트 하나가 init이나 서버까지 걸리는 시간; 지금: make bench-vm이 잰 것",
    "Read here, per guest (alone: memory with nobody to share with):":
        "여기서 읽은 것, 게스트마다 (alone: 나눠 쓸 상대가 없을 때의 메모리):",
    "image not known": "이미지를 모른다",
    # notes
    "low: only what is touched; high: all of the guests' RAM, which their page caches fill in time":
        "낮게: 건드린 것만; 높게: 게스트의 RAM 전부, 시간이 지나면 페이지 캐시가 채운다",
    "pods of one image share its pages now, and would not between machines: that is in `alone`":
        "한 이미지의 파드들은 지금 그 페이지를 나눠 쓰지만 머신 사이에서는 그러지 못한다: `alone`에 들어 있다",
    "KSM, ballooning and virtio-fs DAX can take memory back from guests; none is assumed":
        "KSM, 벌루닝, virtio-fs DAX는 게스트에서 메모리를 되찾을 수 있다; 어느 것도 가정하지 않았다",
    "make bench-vm measures a real guest and a container with the same server on this machine":
        "make bench-vm은 이 컴퓨터에서 같은 서버를 실제 게스트와 컨테이너로 띄워 잰다",
    "memory could not be read, and is left out, for {}": "메모리를 읽을 수 없어 뺀 것: {}",
    # what is assumed, and where it is from
    "assumed": "가정",
    "at some time": "언젠가",
    "measured here": "여기서 잰 것",
    "QEMU, as KubeVirt": "QEMU, KubeVirt처럼",
    "a general virtual machine: a disk image with a distribution for every pod":
        "일반 가상 머신: 파드마다 배포판이 든 디스크 이미지 하나",
    "a virtual machine made for one pod: an agent instead of a distribution, the image shared in from the host":
        "파드 하나를 위한 가상 머신: 배포판 대신 에이전트, 이미지는 호스트에서 나눠 받는다",
    "the smallest: a stripped kernel, a few virtio devices, no firmware":
        "가장 작은 것: 줄인 커널, virtio 장치 몇 개, 펌웨어 없음",
    "{}, guest kernel {}, serving {}, {}": "{}, 게스트 커널 {}, 서버 {}, {}",
    "by KVM": "KVM으로",
    "emulated ({})": "에뮬레이션 ({})",
    "OpenShift Virtualization, per virtual machine: 0.002 x RAM + 218 MiB + 8 MiB x vCPU (openshift-docs#98819)":
        "OpenShift Virtualization, 가상 머신마다: 0.002 x RAM + 218 MiB + 8 MiB x vCPU (openshift-docs#98819)",
    "Firecracker SPECIFICATION.md, 1 vCPU and 128 MiB": "Firecracker SPECIFICATION.md, vCPU 1개와 128 MiB",
    "podFixed of kata-deploy's RuntimeClass kata-qemu": "kata-deploy의 RuntimeClass kata-qemu에 있는 podFixed",
    "Red Hat's example for sandboxed containers 1.10": "Red Hat의 sandboxed containers 1.10 예제",
    "depot.dev, Optimizing microVM boot times: an Ubuntu cloud image until it runs a command":
        "depot.dev, Optimizing microVM boot times: Ubuntu 클라우드 이미지가 명령을 실행할 때까지",
    "kuasar.io, benchmark test report: Kata 2.5": "kuasar.io, 벤치마크 보고서: Kata 2.5",
    "Debian's package linux-image-cloud-amd64 6.1": "Debian 패키지 linux-image-cloud-amd64 6.1",
    "24: clearcontainers/runtime#390; the others assumed": "24: clearcontainers/runtime#390; 나머지는 가정",
    "24: clearcontainers/runtime#390; the others assumed; kernel, init, cache":
        "24: clearcontainers/runtime#390; 나머지는 가정; 커널, init, 캐시",
    "{}: one, or two": "{}: 하나 또는 둘",
    "{}: the least RAM a distribution is given; rounded up to 128 MiB":
        "{}: 배포판에 주는 가장 적은 RAM; 128 MiB 단위로 올림",
    "{}; kernel, init, cache": "{}; 커널, init, 캐시",
    "{}: the VMM and an init; a distribution's dozen; all of its services":
        "{}: VMM과 init; 배포판의 열두엇; 그 서비스 전부",
    "8 the kernel, 106 with its modules: {}; 400 a distribution: assumed":
        "커널 8, 모듈까지 106: {}; 배포판 400: 가정",
    "{}: a copy for every guest; none where disks are copied on write":
        "{}: 게스트마다 사본 하나; 쓸 때 복사하는 디스크라면 없음",
    "{}, 8 (7 to 9); below a second with a kernel of its own": "{}, 8 (7에서 9); 맞춤 커널이면 1초 미만",
    "default_memory of Kata's configuration is 2048; 128 assumed as the least":
        "Kata 설정의 default_memory는 2048; 가장 적은 값 128은 가정",
    "counted in vmm": "vmm에 들어 있다",
    "160: {}; 350 to 500: {}": "160: {}; 350에서 500: {}",
    "{}: the VMM, virtiofsd (one or two), the agent, its shim": "{}: VMM, virtiofsd(하나나 둘), 에이전트, 그 shim",
    "{}: one guest kernel and image for all, containers' layers shared in":
        "{}: 모두에게 게스트 커널과 이미지 하나, 컨테이너의 레이어는 나눠 받는다",
    "{}: none with virtio-fs; one where images are made block devices":
        "{}: virtio-fs라면 없음; 이미지를 블록 장치로 만든다면 하나",
    "{}, 0.85 to 0.95 one by one, to 1.8 with 30 at once": "{}, 하나씩이면 0.85에서 0.95, 한꺼번에 30개면 1.8까지",
    "128: {}; 256 assumed": "128: {}; 256은 가정",
    "{}: the VMM, an init, a jailer": "{}: VMM, init, jailer",
    "the kernel; with all its modules: {}": "커널; 모든 모듈까지: {}",
    "{}: a copy for every guest; none where one disk is read by all":
        "{}: 게스트마다 사본 하나; 한 디스크를 모두가 읽는다면 없음",
    "{}: the VMM 6 to 60 ms (typically 12), then 125 ms to init":
        "{}: VMM 6에서 60 ms(보통 12), 그다음 init까지 125 ms",
    "make bench-vm, {}, {}": "make bench-vm, {}, {}",
    "counted in vmm; the guest had {} MiB": "vmm에 들어 있다; 게스트에는 {} MiB가 있었다",
    "{}: the guest's memory without the server's": "{}: 서버의 것을 뺀 게스트의 메모리",
    "{}: each guest had a disk of its own": "{}: 게스트마다 자기 디스크가 있었다",
    "{}, until it answered": "{}, 답할 때까지",
    # the demonstration of promises
    "{} processes, each promised {} GiB (private, writable), on this machine:":
        "이 컴퓨터에서 프로세스 {}개, 저마다 {} GiB를 약속받았다 (전용, 쓰기 가능):",
    "{} more are committed, and {} of memory are taken": "{}가 더 커밋되었고, 메모리는 {}를 차지했다",
    "each wrote to {}, and {} more are resident: taken is what was touched":
        "저마다 {}에 썼고, {}가 더 상주한다: 차지한 것은 건드린 것이다",
    "the processes have ended, and {} are committed": "프로세스가 끝났고, {}가 커밋되어 있다",
    "a 32-bit process is promised 4 GiB under a 64-bit kernel, 3 under a 32-bit one, which keeps the fourth; {}":
        "32비트 프로세스는 64비트 커널에서 4 GiB를, 하나를 자기 몫으로 두는 32비트 커널에서 3 GiB를 약속받는다; {}",
    "a 32-bit program was run here to see: it works": "여기서 32비트 프로그램을 돌려 보았다: 된다",
    "a 32-bit program was tried here: this kernel runs none":
        "여기서 32비트 프로그램을 시도해 보았다: 이 커널은 돌리지 않는다",
    "whether this kernel runs any could not be tried": "이 커널이 돌리는지는 시도할 수 없었다",
}  # fmt: skip
