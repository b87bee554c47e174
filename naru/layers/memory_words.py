"""The words of `naru layers --memory`, in English and Korean: columns, the machine's totals, and what the columns mean."""

from __future__ import annotations

from kubeapi.hardware_v1.terms import Term

COLUMNS: dict[str, Term] = {
    "promised": Term("PROMISED", "약속"),
    "committed": Term("COMMITTED", "커밋"),
    "resident": Term("RESIDENT", "상주"),
    "proportional": Term("PROPORTIONAL", "비례 몫"),
    "unique": Term("UNIQUE", "고유 몫"),
    "swapped": Term("SWAPPED", "스왑됨"),
    "charged": Term("CHARGED", "청구"),
    "workingSet": Term("WORKING SET", "작업 집합"),
    "limit": Term("LIMIT", "한도"),
}
# What a total is called, and the sentence that its numbers stand in.
TOTALS: dict[str, tuple[Term, Term]] = {
    "ram": (Term("RAM", "RAM"), Term("{}, {} available; {} swap", "{}, 쓸 수 있는 것 {}; 스왑 {}")),
    "promised": (
        Term("promised", "약속"),
        Term("{}: the address spaces of all processes", "{}: 모든 프로세스의 주소 공간"),
    ),
    "committed": (
        Term("committed", "커밋"),
        Term("{}; the commit limit of {} {} (overcommit mode {}, {})", "{}; 커밋 한도 {} {} (오버커밋 방식 {}, {})"),
    ),
    "resident": (
        Term("resident", "상주"),
        Term("{}, counting shared pages in every process", "{}, 공유 페이지를 프로세스마다 센다"),
    ),
    "proportional": (
        Term("proportional", "비례 몫"),
        Term(
            "{}, counting every page once; {} swapped beside it", "{}, 모든 페이지를 한 번씩 센다; 그 밖에 스왑된 것 {}"
        ),
    ),
    "limit": (Term("limit", "한도"), Term("{} {}", "{} {}")),
}
NO = Term("no", "없음")
OUTSIDE = Term("outside of containers ({} processes)", "컨테이너 밖 (프로세스 {}개)")
MORE = Term("and {} more (--all)", "외 {}개 (--all)")
LEGEND = Term(
    """\
promised: addresses (VmSize). committed: vouched for (of a process: its private writable mappings). resident: in RAM, shared
pages counted once for each process. proportional: shared pages divided among their users; this column adds up. unique: what
its end would give back. swapped: beside proportional. charged: what the cgroup is billed for, page cache that it touched
first and kernel memory too. working set: charged without cache that can go at once, as docker stats shows it. A + means at
least: some processes may not be read.""",
    """\
약속: 주소(VmSize). 커밋: 보증된 양(프로세스는 전용 쓰기 가능 매핑). 상주: RAM에 있는 양, 공유 페이지를 프로세스마다 센다.
비례 몫: 공유 페이지를 쓰는 이들끼리 나눈 양, 이 열은 더하면 맞는다. 고유 몫: 끝나면 돌려줄 양. 스왑됨: 비례 몫과 따로.
청구: cgroup에 매긴 양, 먼저 건드린 페이지 캐시와 커널 메모리도 들어간다. 작업 집합: 청구에서 바로 버릴 수 있는 캐시를 뺀 양,
docker stats가 보여 주는 값. +는 적어도라는 뜻이다: 읽을 수 없는 프로세스가 있다.""",
)
