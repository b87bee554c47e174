"""The drawing as a reader meets it, in a real browser, over documents in place of a cluster: what is asked is answered by
the right parts, lit in order; words switch under them; what was seen of a packet shows, and where it ended."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Browser, Page, expect

from tests.e2e.page import world
from tests.e2e.page.browser import kept
from tests.e2e.page.documents import Cluster, opened

pytestmark = pytest.mark.asyncio(loop_scope="package")
DB = f"shop/{world.pod_name(2)}"
FIRST = {"from": f"shop/{world.pod_name(0)}", "language": "en"}


async def lit(page: Page) -> list[str]:
    """The keys of the parts that the packet meets, in the picture."""
    await page.locator(".path-drawing .hop").first.wait_for()
    keys: list[str] = await page.eval_on_selector_all(
        ".path-drawing .hop", "parts => parts.map((part) => part.dataset.key)"
    )
    return keys


async def test_how_web_reaches_db_is_the_first_question_and_its_hops_are_lit(
    browser: Browser, documents: Cluster
) -> None:
    assert documents.predicted is not None
    async with opened(browser, documents, "path") as page:
        wanted = {hop.part or f"route/{hop.netns}/{hop.name}" for hop in documents.predicted.hops}
        assert set(await lit(page)) == wanted
        assert documents.asked == [FIRST | {"to": "service/shop/db"}]
        lines = page.locator(".hops > li")
        assert await lines.count() == len(documents.predicted.hops)
        for position, hop in enumerate(documents.predicted.hops):
            await expect(lines.nth(position)).to_contain_text(hop.says)
        await expect(page.get_by_role("button", name="4 more not on this way: pod")).to_be_visible()
        await expect(page.get_by_role("group", name="The way of a packet from")).to_be_visible()


async def test_another_question_is_asked_of_the_agent_and_kept_in_the_address(
    browser: Browser, documents: Cluster
) -> None:
    async with opened(browser, documents, "path") as page:
        await lit(page)
        await page.get_by_label("to", exact=True).select_option(DB)
        await expect(page).to_have_url(re.compile("#.*to=shop%2Fdb"))  # wait_for_function evals: the CSP forbids
        await expect(page.locator(".status")).to_contain_text("nginx")
        assert documents.asked[-1] == FIRST | {"to": DB}
        await page.get_by_label("to", exact=True).select_option("other")
        await page.get_by_role("textbox", name="address").fill("192.0.2.7")
        await page.keyboard.press("Enter")
        await expect(page).to_have_url(re.compile(r"#.*192\.0\.2\.7"))
        await expect(page.locator(".hops .state.is-seen")).to_have_count(10)  # the Enter key sends a packet, too
        assert documents.asked[-1] == FIRST | {"to": "192.0.2.7", "probe": "1"}


async def test_a_packet_that_is_faster_than_the_prediction_waits_for_it(browser: Browser, documents: Cluster) -> None:
    async with opened(browser, documents, "path") as page:
        await lit(page)
        documents.predicts.clear()
        async with page.expect_response(lambda answer: "probe=1" in answer.url):
            await page.get_by_label("to", exact=True).select_option(DB)
            await page.get_by_role("button", name="Send a packet").click()
        async with page.expect_response(lambda answer: answer.url.endswith("language=en")):
            documents.predicts.set()
        await expect(page.locator(".hops .state.is-seen")).to_have_count(10)


async def test_words_and_language_switch_under_the_same_picture(browser: Browser, documents: Cluster) -> None:
    async with opened(browser, documents, "path") as page:
        before = await lit(page)
        bridge = page.locator('.part[data-key="link/4026531833/5"] .kind')
        for switch, expected in [
            ("VMware", "VMnet switch"),
            ("한국어", "VMnet 스위치"),
            ("Linux", "브리지"),
            ("English", "bridge"),
        ]:
            await page.get_by_role("button", name=switch, exact=True).click()
            await expect(bridge).to_have_text(expected)
            assert await lit(page) == before
        assert [asked["language"] for asked in documents.asked] == ["en", "ko", "en"]  # other words are in every answer


async def test_a_packet_turns_predicted_hops_to_what_was_seen(browser: Browser, documents: Cluster) -> None:
    async with opened(browser, documents, "path", reduced_motion="no-preference") as page:
        await lit(page)
        await expect(page.locator(".hop.is-predicted")).to_have_count(9)
        await page.evaluate(
            """() => {
                window.stops = new Set();
                const watch = () => {
                  const packet = document.querySelector('.packet');
                  if (packet) window.stops.add(`${packet.getAttribute('cx')} ${packet.getAttribute('cy')}`);
                  requestAnimationFrame(watch);
                };
                watch();
            }"""
        )
        await page.get_by_role("button", name="Send a packet").click()
        await expect(page.locator(".hops .state.is-seen")).to_have_count(10)
        assert await page.evaluate("window.stops.size") > 20  # it moved along the wires
        assert documents.asked[-1]["probe"] == "1"
        await expect(page.locator(".hops > li").nth(4)).to_contain_text("seen 2 of 3")
        await expect(page.locator(".hops > li").nth(4)).to_contain_text("30 µs")
        await page.locator('.part[data-key="service/shop/db"]').click()
        panel = page.locator(".panel")
        await expect(panel).to_contain_text("nft not offered by this kernel")
        await expect(panel).to_contain_text("conntrack DNAT")
        await page.get_by_role("button", name="한국어").click()
        await expect(page.locator(".hops > li").nth(4)).to_contain_text("3개 중 2개가 확인")  # what was seen stays seen
        await page.screenshot(path=kept("drawing-seen"), full_page=True)


async def test_nothing_moves_for_who_asked_for_less_movement(browser: Browser, documents: Cluster) -> None:
    async with opened(browser, documents, "path", reduced_motion="reduce") as page:
        await lit(page)
        packet = await page.locator(".packet").get_attribute("cx")
        await page.get_by_role("button", name="Send a packet").click()
        await expect(page.locator(".hops .state.is-seen")).to_have_count(10)
        assert await page.locator(".packet").get_attribute("cx") == packet


async def test_a_drop_marks_its_hop_with_reason_rule_object_and_the_mending_command(
    browser: Browser, documents: Cluster
) -> None:
    documents.probed = world.trace("seen", drop=True)
    async with opened(browser, documents, "path", reduced_motion="reduce") as page:
        await lit(page)
        await page.get_by_role("button", name="Send a packet").click()
        await expect(page.locator(".hop.is-dropped")).to_have_attribute("data-key", "service/shop/db")
        for told in [
            "NETFILTER_DROP",
            "ip daddr 10.244.0.4 drop",
            "NetworkPolicy shop/db-only-was",
            "kubectl -n shop edit networkpolicy",
        ]:
            await expect(page.locator(".panel .drop")).to_contain_text(told)
        await expect(page.locator(".wire.is-never")).to_have_count(5)  # where it would have gone
        await page.screenshot(path=kept("drawing-dropped"), full_page=True)


async def test_the_keyboard_steps_along_the_way(browser: Browser, documents: Cluster) -> None:
    async with opened(browser, documents, "path") as page:
        way = ["process/1000", "link/4026532000/2", "link/4026531833/10", "link/4026531833/5", "service/shop/db"]
        await lit(page)
        await page.get_by_role("button", name="Send a packet").focus()
        await page.keyboard.press("Tab")
        for key in way[1:]:
            await page.keyboard.press("ArrowRight")
            assert await page.evaluate("document.activeElement.dataset.key") == key
            await expect(page.locator('.hop-line[aria-pressed="true"]').first).to_be_visible()
        await page.keyboard.press("Home")
        assert await page.evaluate("document.activeElement.dataset.key") == way[0]
        await page.keyboard.press("End")
        assert await page.evaluate("document.activeElement.dataset.key") == "process/1002"
        await expect(page.locator(".panel-name")).to_have_text("postgres")


async def test_a_part_tells_its_facts_with_evidence_what_disagrees_and_the_command(
    browser: Browser, documents: Cluster
) -> None:
    async with opened(browser, documents, "path") as page:
        await lit(page)
        await page.locator('.part[data-key="hypervisor"]').click()
        panel = page.locator(".panel")
        await expect(panel).to_contain_text("a microVM, not a container. /.dockerenv is a leftover")
        await expect(panel.locator(".panel-horizon")).to_contain_text("not bare metal")
        await panel.locator(".facts summary").click()
        await expect(panel.locator(".facts samp")).to_have_text("KVMKVMKVM")
        await page.locator('.part[data-key="link/4026532000/2"]').click()
        await expect(panel.locator(".command code")).to_have_text(
            "nsenter --target 1000 --net ip -d address show dev eth0"
        )
        await panel.get_by_role("button", name="veth00000").click()  # the other end
        await expect(panel.locator(".panel-name")).to_have_text("veth00000")
        await page.get_by_role("button", name="4 more not on this way: pod").click()
        await panel.get_by_role("button", name=world.pod_name(5)).click()
        await expect(panel.locator(".command code")).to_have_text(
            f"kubectl describe pod {world.pod_name(5)} --namespace shop"
        )


async def test_the_layers_are_shown_where_the_way_cannot_be_told(browser: Browser, documents: Cluster) -> None:
    documents.predicted = None
    async with opened(browser, documents, "path") as page:
        await expect(page.locator(".status.failed")).to_contain_text("That could not be had")
        await expect(page.locator('.part[data-key="kernel"]')).to_be_visible()
    documents.complaints = [said for said in documents.complaints if "404" not in said]


async def test_a_container_stands_on_its_tower_down_to_the_horizon(browser: Browser, documents: Cluster) -> None:
    async with opened(browser, documents, f"beneath?container={DB}/postgres") as page:
        await page.locator(".level").first.wait_for()
        names = await page.locator(".level-name").all_inner_texts()
        assert names == [
            *("postgres", "postgres", DB, "shim 000000000002", "containerd 1.6.20"),
            *("Docker 20.10.24", "Linux 6.18.44", "KVM (Firecracker)", "Firecracker microVM"),
        ]
        await expect(page.locator(".level-horizon")).to_contain_text("nothing more may be concluded")
        await expect(page.locator(".box:visible")).to_have_count(8)
        await page.get_by_role("button", name="Same kernel: share it").click()
        await expect(page.locator(".box:visible")).to_have_count(4)
        assert await page.locator(".box:visible .box-number").all_inner_texts() == ["3", "6", "1", "2"]
        await expect(page.locator(".eight-why")).to_contain_text("the same kernel as 2 (Linux 6.18.44)")
        await page.get_by_role("button", name="containerd containerd 1.6.20").click()
        await expect(page.locator(".panel .panel-name")).to_have_text("containerd 1.6.20")


async def test_what_is_promised_stands_beyond_the_ram_and_what_is_taken_before_it(
    browser: Browser, documents: Cluster
) -> None:
    async with opened(browser, documents, "memory") as page:
        told = "64 GiB of addresses are promised to pods, 730 times the 90 MiB that they take."
        await expect(page.locator(".memory-summary")).to_have_text(f"{told} The machine has 23 GiB of RAM.")
        ram = await page.locator(".ram line").bounding_box()
        together = page.locator(".memory-row").first
        promised = await together.locator(".mark-promised").bounding_box()
        taken = await together.locator(".mark-proportional").bounding_box()
        assert ram and promised and taken
        assert taken["x"] < ram["x"] < promised["x"]
        await expect(together.locator(".mark-resident")).to_have_count(0)  # pages that are shared are not added up
        row = page.get_by_role("row", name=f"shop/{world.pod_name(4)}")
        assert await row.get_by_role("cell").all_inner_texts() == [
            "20 GiB",
            "256 MiB",
            "40 MiB",
            "15 MiB",
            "0 B",
            "60 MiB",
            "no limit",
        ]
