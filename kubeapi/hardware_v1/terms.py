"""The words for the layers, as plain data: each part in Linux's and in VMware's, in English and in Korean.

Who learned virtual machines first knows every thing of the tower by another name: a bridge is VMnet, masquerading is the
NAT device, a veth's end in a pod is the virtual NIC. The command line and the page take their labels from here, so that
one thing has one name on both. `TWINS` tells where a twin differs, since equal names would teach wrong things.

A key is `GROUP/NAME`: `kind/…` (of `Part.kind`), `floor/…`, `link/…` (of `Link.kind`, a noun), `says/…` (a link told in
a line; `{}` is the other end), `switch/…` (what a bridge is to its machine), `nat/…` (a NAT rule by what it rewrites),
`sort/…` (of NICs), `column/…` (of the drawing), `confidence/…`, `state/…` (of a hop, or a device), `offer/…` (of a
witness), `word/…` (headings), `name/…` (what a fact is called: its own name in English) and `FACT/VALUE` (a fact's value,
where it is a word). Whole sentences are in `kubeapi.hardware_v1.korean`.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from kubeapi.hardware_v1.names import NAMES

Words = Literal["linux", "vmware"]
Language = Literal["en", "ko"]


class Term(NamedTuple):
    """One thing's four names; VMware's are empty where VMware has no other word."""

    en: str
    ko: str
    vmware_en: str = ""
    vmware_ko: str = ""


TERMS: dict[str, Term] = {
    "kind/machine": Term("machine", "컴퓨터", "host", "호스트"),
    "kind/cpu": Term("processor", "프로세서"),
    "kind/memory": Term("memory", "메모리"),
    "kind/disk": Term("disk", "디스크"),
    "kind/hypervisor": Term("hypervisor", "하이퍼바이저"),
    "kind/vm": Term("virtual machine", "가상 머신"),
    "kind/kernel": Term("kernel", "커널", "host OS kernel", "호스트 OS 커널"),
    "kind/nic": Term("NIC", "NIC", "network adapter", "네트워크 어댑터"),
    "kind/loopback": Term("loopback", "루프백"),
    "kind/bridge": Term("bridge", "브리지", "VMnet switch", "VMnet 스위치"),
    "kind/port": Term("port", "포트", "connection", "연결"),
    "kind/veth": Term("veth", "veth", "switch port", "스위치 포트"),
    "kind/veth-inside": Term("veth, inside", "veth 안쪽 끝", "virtual NIC", "가상 NIC"),
    "kind/tap": Term("tap", "tap", "virtual NIC's host end", "가상 NIC의 호스트 쪽 끝"),
    "kind/tun": Term("tun", "tun"),
    "kind/bond": Term("bond", "본드", "NIC team", "NIC 팀"),
    "kind/team": Term("team", "팀", "NIC team", "NIC 팀"),
    "kind/vlan": Term("VLAN", "VLAN", "port group with VLAN", "VLAN 포트 그룹"),
    "kind/vxlan": Term("VXLAN tunnel", "VXLAN 터널"),
    "kind/macvlan": Term("macvlan", "macvlan", "bridged adapter", "브리지 어댑터"),
    "kind/ipvlan": Term("ipvlan", "ipvlan", "bridged adapter", "브리지 어댑터"),
    "kind/wireguard": Term("WireGuard tunnel", "WireGuard 터널"),
    "kind/ifb": Term("ifb", "ifb"),
    "kind/dummy": Term("dummy", "dummy"),
    "kind/netns": Term("network namespace", "네트워크 네임스페이스", "guest's network stack", "게스트의 네트워크 스택"),
    "kind/route": Term("route", "경로"),
    "kind/nat": Term("NAT", "NAT", "NAT device", "NAT 장치"),
    "kind/masquerade": Term("masquerade", "마스커레이드", "NAT device", "NAT 장치"),
    "kind/switch": Term("switch", "스위치", "VMnet", "VMnet"),
    "nat/masquerade": Term("masquerade", "마스커레이드", "NAT device", "NAT 장치"),
    "nat/snat": Term("source NAT", "출발지 NAT", "NAT device", "NAT 장치"),
    "nat/dnat": Term("destination NAT", "목적지 NAT", "port forwarding", "포트 포워딩"),
    "nat/redirect": Term("redirect", "리다이렉트", "port forwarding", "포트 포워딩"),
    "kind/service": Term("Service", "서비스", "port forwarding", "포트 포워딩"),
    "kind/engine": Term("engine", "엔진", "virtualization software", "가상화 소프트웨어"),
    "kind/containerd": Term("containerd", "containerd", "VM manager", "VM 관리자"),
    "kind/shim": Term("shim", "shim", "VM's process", "VM 프로세스"),
    "kind/pod": Term("pod", "파드", "guest", "게스트"),
    "kind/container": Term("container", "컨테이너", "guest's application", "게스트의 애플리케이션"),
    "kind/process": Term("process", "프로세스"),
    "floor/hardware": Term("hardware", "하드웨어", "host hardware", "호스트 하드웨어"),
    "floor/hypervisor": Term("hypervisor", "하이퍼바이저"),
    "floor/kernel": Term("kernel", "커널", "host OS", "호스트 OS"),
    "floor/network": Term("network", "네트워크", "virtual network", "가상 네트워크"),
    "floor/runtime": Term("runtime", "런타임", "in the hypervisor's place", "하이퍼바이저의 자리"),
    "floor/pod": Term("pods", "파드", "guests", "게스트"),
    "floor/container": Term("containers", "컨테이너", "applications", "애플리케이션"),
    "floor/process": Term("processes", "프로세스"),
    "link/port": Term("port", "포트", "connection", "연결"),
    "link/peer": Term("veth pair", "veth 쌍", "virtual cable", "가상 케이블"),
    "link/uplink": Term("uplink", "업링크"),
    "link/routes": Term("route", "경로"),
    "link/masquerades": Term("masquerade", "마스커레이드", "NAT", "NAT"),
    "link/translates": Term("translation", "주소 변환", "port forwarding", "포트 포워딩"),
    "link/runs": Term("runs", "실행"),
    "link/backs": Term("backs", "뒷받침"),
    "says/port": Term("port of {}", "{}의 포트", "connected to {}", "{}에 연결"),
    "says/peer": Term("peer {}", "짝 {}", "cabled to {}", "{}와 케이블"),
    "says/uplink": Term("leaves by {}", "{}(으)로 나감"),
    "says/routes": Term("by {}", "{} 경유"),
    "says/masquerades": Term("masquerades {}", "{} 주소를 바꿈", "NAT of {}", "{}의 NAT"),
    "says/translates": Term("→ {}", "→ {}", "forwards to {}", "{}(으)로 전달"),
    "says/runs": Term("runs {}", "{} 실행"),
    "says/backs": Term("holds {}", "{} 보유"),
    "says/masqueraded": Term("NAT to {}", "{}(으)로 NAT"),
    "fact/cpus": Term("{} CPUs", "CPU {}개"),
    "fact/swap": Term("swap {}", "스왑 {}"),
    "fact/limit": Term("limit {}", "한도 {}"),
    "fact/mounted": Term("mounted {}", "{}에 마운트"),
    "fact/pid": Term("pid {}", "pid {}"),
    "says/more": Term("and {} more", "외 {}개"),
    "says/moved": Term("counters and gauges that moved: {}", "움직인 계수기와 계기: {}개"),
    "switch/nat": Term("bridge, masqueraded", "브리지, 마스커레이드", "VMnet8 (NAT)", "VMnet8 (NAT)"),
    "switch/bridged": Term("bridge with the NIC", "NIC가 꽂힌 브리지", "VMnet0 (bridged)", "VMnet0 (브리지)"),
    "switch/hostOnly": Term(
        "bridge without a way out", "나갈 길 없는 브리지", "VMnet1 (host-only)", "VMnet1 (호스트 전용)"
    ),
    "sort/physical": Term("physical", "물리"),
    "sort/passed-through": Term("passed through", "패스스루", "DirectPath I/O", "DirectPath I/O"),
    "sort/paravirtual": Term("paravirtual", "반가상화", "paravirtual (as vmxnet3)", "반가상화 (vmxnet3처럼)"),
    "sort/emulated": Term("emulated", "에뮬레이션", "emulated (as e1000)", "에뮬레이션 (e1000처럼)"),
    "sort/software": Term("software", "소프트웨어", "virtual", "가상"),
    "column/nic": Term("NIC", "NIC", "host NIC", "호스트 NIC"),
    "column/nat": Term("NAT", "NAT", "NAT device", "NAT 장치"),
    "column/switch": Term("switch", "스위치", "VMnet", "VMnet"),
    "column/inner-nic": Term("NIC", "NIC", "virtual NIC", "가상 NIC"),
    "column/pod": Term("pod", "파드", "guest", "게스트"),
    "confidence/certain": Term("certain", "확실"),
    "confidence/likely": Term("likely", "추정"),
    "confidence/unknown": Term("unknown", "알 수 없음"),
    "state/predicted": Term("predicted", "예측"),
    "state/seen": Term("seen", "확인"),
    "state/differs": Term("differs", "다름"),
    "state/missed": Term("missed", "못 봄"),
    "state/declared": Term("declared", "선언"),
    "state/up": Term("up", "켜짐"),
    "state/down": Term("down", "꺼짐"),
    "state/lowerlayerdown": Term("lowerlayerdown", "아래가 꺼짐"),
    "state/dormant": Term("dormant", "휴면"),
    "state/unknown": Term("unknown", "알 수 없음"),
    "offer/offered": Term("offered", "있음"),
    "offer/dormant": Term("dormant", "꺼져 있음"),
    "offer/forbidden": Term("forbidden", "거부됨"),
    "offer/missing": Term("missing", "없음"),
    "sort/hardware": Term("hardware", "하드웨어"),
    "overcommit/heuristic": Term("heuristic", "어림"),
    "overcommit/always": Term("always", "항상"),
    "overcommit/never": Term("never", "안 함"),
    "balloon/free page reporting": Term("free page reporting", "빈 페이지 보고"),
    "balloon/on request": Term("on request", "요청할 때"),
    "hypervisor/none": Term("none", "없음"),
    "beneath/unknown": Term("unknown", "알 수 없음"),
    "container/none": Term("none", "아님"),
    "container/a container": Term("a container", "컨테이너"),
    "form/root partition": Term("root partition", "루트 파티션"),
    "form/guest partition": Term("guest partition", "게스트 파티션"),
    "word/yes": Term("yes", "예"),
    "word/no": Term("no", "아니요"),
    "word/hop": Term("hop", "홉"),
    "word/name": Term("name", "이름"),
    "word/state": Term("state", "상태"),
    "word/nothing": Term("saw nothing", "아무것도 못 봄"),
    "word/without": Term("is not offered here", "여기에는 없음"),
    "word/arrived": Term("arrived", "도착"),
    "word/lost-on-its-way": Term("did not arrive", "도착하지 않음"),
    "word/unseen": Term("nobody can see whether it arrived", "도착했는지 아무도 볼 수 없음"),
    "word/dropped": Term("dropped at {}", "{}에서 끝남"),
    "word/of": Term("{} of {}", "{} / {}"),
    "word/rule": Term("rule", "규칙"),
    "word/object": Term("object", "오브젝트"),
    "word/mend": Term("mend", "고치기"),
    "word/note": Term("note", "참고"),
    "word/lost": Term("lost", "잃는 것"),
    "word/allow": Term("allow", "얻는 법"),
    "word/horizon": Term("horizon", "지평선"),
    "word/conflict": Term("conflict", "불일치"),
    "word/verdict": Term("verdict", "판정"),
    "word/evidence": Term("evidence", "근거"),
    "word/free": Term("not in a pod", "파드 밖"),
    "word/layers": Term("the layers beneath", "그 아래의 층"),
    "word/appeared": Term("appeared", "나타남"),
    "word/vanished": Term("vanished", "사라짐"),
    "word/changed": Term("changed", "바뀜"),
    "word/same": Term("nothing changed", "바뀐 것 없음"),
} | {f"name/{name}": Term(name, korean) for name, korean in NAMES.items()}


class Twin(NamedTuple):
    """A thing of VMware's networks, what it is, its twin here, and what not to conclude from the likeness."""

    vmware: Term
    what: Term
    linux: Term
    difference: Term


TWINS: dict[str, Twin] = {
    "vnic": Twin(
        Term("guest's virtual NIC (e1000, vmxnet3)", "게스트의 가상 NIC (e1000, vmxnet3)"),
        Term("an emulated or paravirtual card", "에뮬레이션되거나 반가상화된 카드"),
        Term("a pod's eth0, one end of a veth pair", "파드의 eth0, veth 쌍의 한쪽 끝"),
        Term(
            "no device, no driver that emulates one, no exit to a hypervisor",
            "장치도, 장치를 흉내 내는 드라이버도, 하이퍼바이저로 나가는 일도 없다",
        ),
    ),
    "vmnet": Twin(
        Term("VMnetN", "VMnetN"),
        Term("an L2 switch inside the host", "호스트 안의 L2 스위치"),
        Term("a Linux bridge (docker0, virbr0)", "리눅스 브리지 (docker0, virbr0)"),
        Term(
            "the same table of learned addresses: `bridge fdb` shows it",
            "학습한 주소표는 같다: `bridge fdb`로 볼 수 있다",
        ),
    ),
    "bridged": Twin(
        Term("VMnet0, bridged", "VMnet0, 브리지"),
        Term("a switch joined to the host's NIC by a filter", "필터로 호스트 NIC에 이어진 스위치"),
        Term("a bridge with the NIC as a port; macvlan, ipvlan", "NIC를 포트로 둔 브리지; macvlan, ipvlan"),
        Term(
            "with a bridge the host's address moves to the bridge; VMware and macvlan leave it on the NIC",
            "브리지에서는 호스트 주소가 브리지로 옮겨 간다; VMware와 macvlan은 NIC에 그대로 둔다",
        ),
    ),
    "hostOnly": Twin(
        Term("VMnet1, host-only", "VMnet1, 호스트 전용"),
        Term("a switch, the host's adapter and DHCP, no way out", "스위치, 호스트 어댑터, DHCP; 나가는 길은 없다"),
        Term("a bridge with an address, `docker network create --internal`", "주소가 있는 브리지, --internal 네트워크"),
        Term(
            "DHCP there; here the engine or the agent gives addresses", "저쪽은 DHCP, 여기는 엔진이나 에이전트가 준다"
        ),
    ),
    "nat": Twin(
        Term("VMnet8, NAT", "VMnet8, NAT"),
        Term("a switch, a NAT device in user space and DHCP", "스위치, 사용자 공간의 NAT 장치, DHCP"),
        Term("a bridge and a masquerade rule in the kernel", "브리지와 커널 안의 마스커레이드 규칙"),
        Term(
            "VMware's gateway is the NAT device (.2), here it is the bridge itself (.1); nat.conf there, a DNAT rule here",
            "VMware의 게이트웨이는 NAT 장치(.2), 여기는 브리지 자신(.1); 저쪽은 nat.conf, 여기는 DNAT 규칙",
        ),
    ),
}


def word(key: str, words: Words = "linux", language: Language = "en") -> str:
    """A thing's name. What the table does not know (a device of a kind that the kernel will only invent) is its own name."""
    term = TERMS.get(key)
    if term is None:
        return key.rsplit("/", 1)[-1]
    plain, vmware = (term.ko, term.vmware_ko) if language == "ko" else (term.en, term.vmware_en)
    return vmware if words == "vmware" and vmware else plain


def tables() -> dict[str, dict[str, dict[str, dict[str, str]]]]:
    """Both tables as JSON values for the page: terms as KEY → `linux`, `vmware` → `en`, `ko`; twins as KEY → `vmware`,
    `what`, `linux`, `difference` → `en`, `ko`."""
    return {
        "terms": {
            key: {words: {tongue: word(key, words, tongue) for tongue in _LANGUAGES} for words in _WORDS}
            for key in TERMS
        },
        "twins": {
            key: {name: {"en": term.en, "ko": term.ko} for name, term in twin._asdict().items()}
            for key, twin in TWINS.items()
        },
    }


_WORDS: tuple[Words, ...] = ("linux", "vmware")
_LANGUAGES: tuple[Language, ...] = ("en", "ko")
