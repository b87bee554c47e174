"""The sentences of discovery and of memory in Korean; `{}` stands for what a machine puts there."""

SENTENCES: dict[str, str] = {
    "this machine": "이 컴퓨터",
    # why a value is not there
    "absent": "없음",
    "not permitted": "권한 없음",
    "not told": "알려 주지 않음",
    "unknown": "알 수 없음",
    "none": "없음",
    "at least: {}": "적어도 이만큼: {}",
    "unknown: {}": "알 수 없음: {}",
    # processors and memory
    "at this moment": "지금 이 순간",
    "{} of it": "{}개",
    "memory nodes (NUMA)": "메모리 노드(NUMA)",
    "a hypervisor is beneath": "아래에 하이퍼바이저가 있다",
    "absent: a hypervisor may hide it": "없음: 하이퍼바이저가 감출 수도 있다",
    "not shown, which does not tell whether virtual machines can run":
        "보이지 않지만, 그것으로 가상 머신을 돌릴 수 있는지는 알 수 없다",
    "not a limit in this mode: only a single promise that can't be kept at all is refused":
        "이 방식에서는 한도가 아니다: 도저히 지킬 수 없는 약속 하나만 거절된다",
    "not a limit in this mode: every promise is given": "이 방식에서는 한도가 아니다: 모든 약속을 해 준다",
    "a limit: what goes beyond is refused": "한도이다: 넘는 것은 거절된다",
    "promised, not taken": "약속했을 뿐 쓰지는 않은 양",
    "how much memory is there?": "메모리가 얼마나 있는가?",
    "MemTotal is what the kernel hands out; its nodes need not count what was plugged in after the start. Tools that read"
    " the nodes show the smaller number":
        "MemTotal은 커널이 나눠 주는 양이고, 노드는 시작한 뒤에 꽂힌 것을 세지 "
        "않을 수 있다. 노드를 읽는 도구는 작은 쪽을 보여 준다",
    "differs from total, which holds": "전체와 다르며, 전체가 맞다",
    "processors are lent: others ran meanwhile": "프로세서는 빌린 것이다: 그동안 다른 것이 돌았다",
    "memory is lent: the hypervisor may ask pages back":
        "메모리는 빌린 것이다: 하이퍼바이저가 페이지를 돌려 달라고 할 수 있다",
    "memory is lent: free pages go back by themselves": "메모리는 빌린 것이다: 빈 페이지는 저절로 돌아간다",
    "heuristic: only a single request larger than all RAM and swap is refused":
        "어림: RAM과 스왑 전부보다 큰 요청 하나만 거절된다",
    "always: nothing is refused": "항상: 아무것도 거절하지 않는다",
    "never: what would pass the limit is refused": "절대 안 함: 한도를 넘을 것은 거절된다",
    "shared pages counted once for each process": "공유 페이지를 프로세스마다 한 번씩 센 값",
    "private writable mappings; what was mapped without a reservation is in it":
        "전용 쓰기 가능 매핑; 예약 없이 매핑한 것도 들어 있다",
    "{} of {} containers have one": "컨테이너 {} / {}개에 있음",
    "does not bind": "구속하지 않음",
    "holds for this process; the other numbers are the host's":
        "이 프로세스에 적용된다; 나머지 숫자는 호스트의 것이다",
    "set above it": "위에서 정해짐",
    # kernel, disks
    "programs of 32 bits run, each promised up to 4 GB": "32비트 프로그램이 돌며, 각자 4 GB까지 약속받는다",
    "a block device without a device beneath": "아래에 장치가 없는 블록 장치",
    "on virtio, a bus made for guests": "게스트를 위한 버스인 virtio에 있다",
    "on Xen's bus, made for guests": "게스트를 위한 Xen 버스에 있다",
    "on VMBus, Hyper-V's bus for guests": "Hyper-V의 게스트용 버스 VMBus에 있다",
    "what the disk says of itself; guests are told anything":
        "디스크가 스스로 하는 말이며, 게스트에게는 무엇이든 말할 수 있다",
    "a real bus, and a maker that only hypervisors and clouds have":
        "실제 버스지만, 하이퍼바이저와 클라우드에만 있는 제조사이다",
    "as this kernel sees it": "이 커널이 보기에",
    "and {} more": "외 {}개",
    # NICs
    "the kernel's loopback": "커널의 루프백",
    "made by the kernel as a {}": "커널이 만든 {}",
    "it hangs on no bus": "어느 버스에도 달려 있지 않다",
    "it hangs on {}: a device that only a hypervisor offers": "{}에 달려 있다: 하이퍼바이저만 내놓는 장치",
    "Xen's bus": "Xen 버스",
    "Hyper-V's VMBus": "Hyper-V의 VMBus",
    "a virtual function of a physical one (SR-IOV)": "물리 NIC의 가상 기능(SR-IOV)",
    "{} drives a device that only {}'s hypervisor offers, whatever its bus":
        "{} 드라이버의 장치는 버스와 상관없이 {}의 하이퍼바이저만 내놓는다",
    "{} drives virtual functions of physical NICs (SR-IOV)": "{} 드라이버는 물리 NIC의 가상 기능(SR-IOV)을 움직인다",
    "its PCI subsystem is {}'s, which makes no cards": "PCI 서브시스템이 {}의 것인데, 그곳은 카드를 만들지 않는다",
    "{} in a virtual machine: a card that hypervisors imitate": "가상 머신 안의 {}: 하이퍼바이저가 흉내 내는 카드",
    "a PCI device in a virtual machine that no hypervisor is known to imitate":
        "가상 머신 안의 PCI 장치이며, 이것을 흉내 내는 하이퍼바이저는 알려져 있지 않다",
    "on {}, as this kernel sees it": "이 커널이 보기에 {}에 있다",
    "a bus": "어떤 버스",
    "unknown: the driver says {} Mb/s, but there is no wire of its own":
        "알 수 없음: 드라이버는 {} Mb/s라고 하지만 제 선이 없다",
    "the hypervisor says none": "하이퍼바이저가 말해 주지 않는다",
    "no link, or the driver says none": "연결이 없거나 드라이버가 말해 주지 않는다",
    "locally administered{}: no vendor's": "로컬 관리 주소{}: 제조사의 것이 아니다",
    ", as QEMU and libvirt give them": "(QEMU와 libvirt가 주는 방식)",
    ", as Docker gives them": "(Docker가 주는 방식)",
    ", as CNI plugins give them": "(CNI 플러그인이 주는 방식)",
    "no list of vendors is installed (package ieee-data)": "제조사 목록이 설치되어 있지 않다(ieee-data 패키지)",
    "not in the list of vendors": "제조사 목록에 없다",
    # network
    "this kernel tracks no connections now": "이 커널은 지금 연결을 추적하지 않는다",
    "behind it: {}": "그 뒤에: {}",
    "which rules of nftables rewrite addresses can't be seen from here: {}":
        "nftables의 어느 규칙이 주소를 바꾸는지 여기서는 볼 수 없다: {}",
    "nft is not installed": "nft가 설치되어 있지 않다",
    "the kernel has rules of legacy iptables, which only {} shows, and it is not installed":
        "커널에 옛 iptables의 규칙이 있으나 {}만 보여 줄 수 있고, 그것이 설치되어 있지 않다",
    "legacy iptables": "옛 iptables",
    "a nat rule counts connections": "nat 규칙은 연결 수를 센다",
    "{}, not ready: nothing is led there": "{}, 준비되지 않음: 그리로 보내지 않는다",
    # what runs
    "known by its name": "이름으로 알아봄",
    "the engine was not asked": "엔진에 묻지 않았다",
    "makes a container and leaves: no process of it stays": "컨테이너를 만들고 떠난다: 프로세스가 남지 않는다",
    "it lets go of its shims, so that containers outlive it": "컨테이너가 더 오래 살도록 shim을 놓아 준다",
    "its own": "자기 것",
    "it only holds its pod's namespaces": "파드의 네임스페이스를 쥐고 있을 뿐이다",
    "shared within the pod": "파드 안에서 공유",
    "the host's": "호스트의 것",
    "outside of what can be seen from here": "여기서 볼 수 있는 범위 밖",
    "{}, not its container's": "{}, 제 컨테이너의 것이 아니다",
    # what is beneath
    "nothing was found; that does not prove bare metal": "찾은 것이 없지만, 그것이 베어 메탈이라는 증거는 아니다",
    "unknown: a guest can't see what its hypervisor runs on":
        "알 수 없음: 게스트는 하이퍼바이저가 무엇 위에서 도는지 볼 수 없다",
    "which hypervisor is beneath?": "아래에 어떤 하이퍼바이저가 있는가?",
    "which program made this virtual machine?": "어떤 프로그램이 이 가상 머신을 만들었는가?",
    "who runs this machine?": "누가 이 컴퓨터를 운영하는가?",
    "does not tell its name": "이름을 밝히지 않는다",
    "a hypervisor that does not tell its name": "이름을 밝히지 않는 하이퍼바이저",
    "this hypervisor is itself a guest": "이 하이퍼바이저 자신도 게스트이다",
    "bare metal": "베어 메탈",
    "its platform calls it bare metal, and nothing speaks against it":
        "플랫폼이 베어 메탈이라 하고, 이를 반박하는 것이 없다",
    "Below the machine nothing was found. That does not prove bare metal: a hypervisor can hide from its guest.":
        "컴퓨터 아래에서 찾은 것이 없다. 그것이 베어 메탈이라는 증거는 "
        "아니다: 하이퍼바이저는 게스트에게 숨을 수 있다.",
    "Below {} nothing can be seen from inside: on which machine it runs, with which others, whether it is a guest itself,"
    " and where the far end of each virtual device is plugged in.":
        "{} 아래는 안에서 볼 수 없다: 어느 컴퓨터에서 무엇과 함께 도는지, 그것도 "
        "게스트인지, 가상 장치의 반대쪽 끝이 어디에 꽂혀 있는지.",
    "{} leads into a network namespace that can't be seen from here: by which NIC packets leave is not known.":
        "{}은(는) 여기서 볼 수 없는 네트워크 네임스페이스로 이어진다: 패킷이 어느 NIC로 컴퓨터를 나가는지 알 수 없다.",
    "names in firmware are written by whoever starts a guest, and can be copied from any machine":
        "펌웨어의 이름은 게스트를 시작하는 쪽이 쓰며, 어느 컴퓨터의 것이든 베낄 수 있다",
    "{} offers {}'s interface beside its own, so that guests use drivers they have":
        "{}은(는) 게스트가 가진 드라이버를 쓰도록 {}의 인터페이스도 함께 내놓는다",
    "{}; {} is what stronger witnesses say": "{}; 더 강한 증인들은 {}(이)라고 한다",
    "{} has the stronger witnesses: the processor first, then the kernel, firmware and devices":
        "{} 쪽 증인이 더 강하다: 프로세서가 먼저, 다음이 커널, 펌웨어, 장치",
    "by {}": "{}(으)로",
    "a captured machine can't be asked": "기록해 둔 컴퓨터에는 물을 수 없다",
    "open {}: {}": "{} 열기: {}",
    "ioctl {}: {}": "ioctl {}: {}",
    "can virtual machines run here?": "여기서 가상 머신이 돌 수 있는가?",
    "yes": "예",
    "no": "아니요",
    "a virtual processor was made by ioctl, which is the thing itself; flags are hidden from many guests":
        "ioctl로 가상 프로세서를 실제로 만들었다; 플래그는 많은 게스트에게 감춰진다",
    # in a container or not
    "is this a container?": "이것은 컨테이너인가?",
    "a container": "컨테이너",
    "no container": "컨테이너 아님",
    "no container: {} is a leftover": "컨테이너 아님: {}은(는) 남겨진 것이다",
    "it has namespaces of its own, and what is mounted in it comes from an engine's storage":
        "자기 네임스페이스가 있고, 마운트된 것이 엔진의 저장소에서 왔다",
    "it shares every numbered namespace with the kernel's first, but lives on an engine's storage":
        "번호로 알 수 있는 네임스페이스는 모두 커널의 처음 것이지만, 엔진의 저장소 위에 있다",
    "it has namespaces of its own, and a file that engines leave":
        "자기 네임스페이스가 있고, 엔진이 남기는 파일이 있다",
    "it has a namespace of its own, as sandboxed services have, but nothing of it is an engine's":
        "격리된 서비스처럼 자기 네임스페이스가 있지만, 엔진의 것은 아무것도 없다",
    "its namespaces have the kernel's first, fixed numbers, which no container's have; a file may be left in any image":
        "네임스페이스가 커널의 처음 고정 번호를 가졌고 어떤 컨테이너도 "
        "그럴 수 없다; 파일은 어느 이미지에나 남을 수 있다",
    "namespaces can't be read here": "여기서는 네임스페이스를 읽을 수 없다",
    "it has namespaces of its own, its processes' among them":
        "프로세스 네임스페이스를 비롯해 자기 네임스페이스가 있다",
    "{}; it shares {} with its host": "{}; {}을(를) 호스트와 공유한다",
}  # fmt: skip
