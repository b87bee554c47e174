"""The sentences of `naru layers --check` in Korean; `{}` stands for what a machine puts there."""

SENTENCES: dict[str, str] = {
    # the witnesses' names
    "drop reasons": "버린 이유",
    "nft trace": "nft 추적",
    "conntrack events": "conntrack 알림",
    "conntrack accounting": "conntrack 계수",
    "bridge netfilter": "브리지 netfilter",
    "namespace numbers": "네임스페이스 번호",
    "cgroup memory": "cgroup 메모리",
    # what was found of each, what is lost without it, how to get it
    "{} tracepoints": "트레이스포인트 {}개",
    "without {}": "{} 없음",
    "not mounted": "마운트되어 있지 않다",
    "a drop tells its reason": "버려진 패킷이 이유를 말한다",
    "tracefs is not mounted, and it is what tells them": "이것을 알려 주는 tracefs가 마운트되어 있지 않다",
    "this kernel's drops name no reason": "이 커널은 패킷을 버리면서 이유를 대지 않는다",
    "which device a probed packet was on, and when: a hop is seen by the rules and conntrack only":
        "탐침 패킷이 언제 어느 장치에 있었는지: 홉은 규칙과 conntrack으로만 보인다",
    "mount -t tracefs nodev /sys/kernel/tracing (root; a kernel with CONFIG_EVENT_TRACING)":
        "mount -t tracefs nodev /sys/kernel/tracing (root; CONFIG_EVENT_TRACING이 있는 커널)",
    "why the kernel dropped a packet, in its own word": "커널이 왜 패킷을 버렸는지, 커널 자신의 말로",
    "Linux 5.17 or later": "리눅스 5.17 이상",
    "this kernel has no tables that go with their owner": "이 커널에는 주인과 함께 사라지는 테이블이 없다",
    "Linux 5.12 or later": "리눅스 5.12 이상",
    "rules tell which packets they met": "규칙이 어느 패킷을 만났는지 말한다",
    "which rule took a packet, and its verdict": "어느 규칙이 패킷을 잡았고 판정이 무엇이었는지",
    "run as root (CAP_NET_ADMIN); modprobe nf_tables": "root(CAP_NET_ADMIN)로 실행; modprobe nf_tables",
    "connections and their translations can be listed": "연결과 그 주소 변환을 나열할 수 있다",
    "what an address was translated to: only the rules say what should have been":
        "주소가 무엇으로 바뀌었는지: 규칙은 그래야 했던 것만 말한다",
    "run as root (CAP_NET_ADMIN); modprobe nf_conntrack_netlink":
        "root(CAP_NET_ADMIN)로 실행; modprobe nf_conntrack_netlink",
    "new connections are told at once": "새 연결을 바로 알려 준다",
    "connections that ended before they were listed": "나열하기 전에 끝난 연결",
    "run as root (CAP_NET_ADMIN); a kernel with CONFIG_NF_CONNTRACK_EVENTS":
        "root(CAP_NET_ADMIN)로 실행; CONFIG_NF_CONNTRACK_EVENTS가 있는 커널",
    "connections count packets": "연결이 패킷을 센다",
    "off: no packet counts": "꺼짐: 패킷을 세지 않는다",
    "packets and bytes of one connection: only those of rules and devices are known":
        "연결 하나의 패킷과 바이트: 규칙과 장치의 것만 안다",
    "sysctl -w net.netfilter.nf_conntrack_acct=1 (counts new connections only)":
        "sysctl -w net.netfilter.nf_conntrack_acct=1 (새 연결만 센다)",
    "packets between two ports of a bridge meet the ip rules too": "브리지의 두 포트 사이 패킷도 ip 규칙을 만난다",
    "off: packets between two ports of a bridge never meet the ip rules":
        "꺼짐: 브리지의 두 포트 사이 패킷은 ip 규칙을 만나지 않는다",
    "rules of family ip for pods of one bridge: no policy by address between them, no rule seen by a trace":
        "한 브리지의 파드에 대한 ip 규칙: 그 사이에는 주소 정책이 없고, 추적에 규칙이 보이지 않는다",
    "modprobe br_netfilter; sysctl -w net.bridge.bridge-nf-call-iptables=1":
        "modprobe br_netfilter; sysctl -w net.bridge.bridge-nf-call-iptables=1",
    "a veth's other end is told by namespace": "veth의 반대쪽 끝을 네임스페이스로 알려 준다",
    "which pod a veth leads to: two may both be @if2": "veth가 어느 파드로 가는지: 둘 다 @if2일 수 있다",
    "Linux 4.9 or later": "리눅스 4.9 이상",
    "a virtual machine and its processor could be made": "가상 머신과 그 프로세서를 만들 수 있었다",
    "virtual machines at full speed here: make bench-vm emulates its guest, and says so":
        "여기서 제 속도로 도는 가상 머신: make bench-vm은 게스트를 에뮬레이션하고 그렇다고 말한다",
    "run as root or in group kvm; modprobe kvm_intel or kvm_amd; in a VM its host must allow nesting":
        "root나 kvm 그룹으로 실행; modprobe kvm_intel 또는 kvm_amd; VM 안이라면 호스트가 중첩을 허용해야 한다",
    "but not permitted for {} processes": "다만 프로세스 {}개는 권한 없음",
    "for every process": "모든 프로세스",
    "proportional and unique memory: only resident is known, which counts shared pages many times":
        "비례 몫과 고유 몫: 공유 페이지를 여러 번 세는 상주 메모리만 안다",
    "run as root (CAP_SYS_PTRACE); Linux 4.14 or later with CONFIG_PROC_PAGE_MONITOR":
        "root(CAP_SYS_PTRACE)로 실행; CONFIG_PROC_PAGE_MONITOR가 있는 리눅스 4.14 이상",
    "{}, and none that counts our memory": "{}, 우리 메모리를 세는 것은 없다",
    "{}: memory is counted in {} at {}": "{}: 메모리는 {}에서 센다, 위치 {}",
    "what a container is charged and its limit": "컨테이너에 청구된 양과 한도",
    "a cgroup hierarchy with the memory controller (v2, or v1 without cgroup_disable=memory)":
        "메모리 컨트롤러가 있는 cgroup 계층(v2, 또는 cgroup_disable=memory가 없는 v1)",
}  # fmt: skip
