"""The page on the running example, in a real browser: its questions, a kill that heals on screen, words, keyboard, sizes."""

from __future__ import annotations

import json
import re
import ssl
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from controlplane.dashboard import files
from tests.e2e.conftest import Cluster
from tests.e2e.page.browser import at_desk, kept

pytestmark = [pytest.mark.docker, pytest.mark.asyncio(loop_scope="package"), pytest.mark.timeout(180), pytest.mark.page]
VIEWS = {"": "form", "workloads": ".row", "events": ".row", "logs": ".log", "why": ".verdict"}
VIEWS |= {"path": "svg", "beneath": "li", "memory": "h1"}
STATIC = Path(files.__file__).parent / "static"


def status_of(url: str) -> int:
    """What a GET without any credentials is answered."""
    tls = ssl.create_default_context()
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    try:
        with urllib.request.urlopen(url, timeout=10, context=tls) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        return refused.code


async def test_nothing_is_shown_without_login(shop_node: Cluster) -> None:
    assets = [str(path.relative_to(STATIC)) for path in STATIC.rglob("*") if path.is_file()]
    assert "app.js" in assets and "views/workloads.js" in assets
    api = ["/api/v1/pods", "/apis", "/dashboard/watch?of=/api/v1/pods", "/openapi/v3"]
    api += ["/api/v1/nodes/vm/proxy/layers"]
    for path in [*(f"/dashboard/{asset}" for asset in ["", "terms.json", *assets]), *api]:
        assert status_of(shop_node.url + path) == 401, path


async def test_a_code_opens_the_page_once_and_logout_closes_it(shop_node: Cluster, browser: Browser) -> None:
    url = shop_node.naru("dashboard", "--no-open").splitlines()[0]
    first = await browser.new_context(ignore_https_errors=True)
    second = await browser.new_context(ignore_https_errors=True)
    page, late = await first.new_page(), await second.new_page()
    await page.goto(url)
    await expect(page.locator("#nav a").first).to_be_visible()
    assert "code=" not in page.url
    await late.goto(url)
    await expect(late.locator("h1")).to_have_text("Nothing is shown without a login")
    await expect(late.locator("main")).to_contain_text("naru dashboard")
    cookies = await first.cookies()
    assert [(c["httpOnly"], c["secure"], c["sameSite"]) for c in cookies] == [(True, True, "Strict")]
    await page.get_by_role("button", name="Log out").click()
    await expect(page.locator("main h1")).to_have_text("You are logged out.")
    assert await first.cookies() == []
    await page.reload()
    await expect(page.locator("h1")).to_have_text("Nothing is shown without a login")
    await first.close()
    await second.close()


async def test_the_first_view_asks_questions_with_real_objects_and_each_leads_to_its_answer(
    shop_node: Cluster, browser: Browser
) -> None:
    async with at_desk(shop_node, browser) as desk:
        page = desk.page
        await desk.see("", ready="#ask-path")
        await desk.picture("home")
        await expect(page.locator("#ask-path h2")).to_contain_text("How does")
        await expect(page.locator("[data-pick=from] option:checked")).to_have_text("shop/web")
        await expect(page.locator("[data-pick=to] option:checked")).to_have_text("shop/db")
        await page.locator("#ask-path button").click()
        await expect(page).to_have_url(re.compile(r"#/path\?from=shop%2Fweb-.*&to=service%2Fshop%2Fdb"))
        await expect(page.locator(".view-path svg").first).to_be_visible()
        await desk.see("", ready="#ask-beneath")
        await page.locator("[data-pick=container]").select_option(label=await option(desk.page, "/postgres"))
        await page.locator("#ask-beneath button").click()
        await expect(page).to_have_url(re.compile(r"#/beneath\?container=shop%2Fdb-.*%2Fpostgres"))
        await expect(page.locator(".view-beneath li").first).to_be_visible()
        await desk.see("", ready="#ask-why")
        await page.locator("#ask-why button").click()
        await expect(page.locator(".verdict h2")).to_have_text(re.compile(r" is (not )?ready\."))


async def option(page: object, ending: str) -> str:
    """The text of the option that ends so."""
    texts = await page.locator("[data-pick=container] option").all_text_contents()  # type: ignore[attr-defined]
    return str(next(text for text in texts if text.endswith(ending)))


@pytest.fixture
def broken(shop_node: Cluster) -> Iterator[list[str]]:
    """Pods that can't become ready, each for a reason of its own."""
    sleeps = {"name": "c", "image": "naru/base", "imagePullPolicy": "Never", "command": ["sleep", "999"]}
    probe = {"exec": {"command": ["sh", "-c", "echo no rows yet; exit 1"]}, "periodSeconds": 1}
    specs = {
        "no-image": {"containers": [sleeps | {"image": "naru/nobody:1"}]},
        "no-map": {"containers": [sleeps | {"envFrom": [{"configMapRef": {"name": "nowhere"}}]}]},
        "unready": {"containers": [sleeps | {"readinessProbe": probe}]},
        "crashes": {"containers": [sleeps | {"command": ["sh", "-c", "echo out of luck; exit 3"]}]},
        "too-large": {"containers": [sleeps | {"resources": {"requests": {"cpu": "999"}}}]},
    }
    names = [*specs]
    pods = [
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"}, "spec": spec}
        for name, spec in specs.items()
    ]
    body = json.dumps({"apiVersion": "v1", "kind": "List", "items": pods})
    shop_node.kubectl("create", "-f", "-", stdin=body)
    try:
        yield names
    finally:
        shop_node.kubectl(
            "delete", "pods", *names, "-n", "default", "--grace-period=0", "--force", "--ignore-not-found"
        )


WHY = {
    "no-image": ("image", "naru/nobody:1"),
    "no-map": ("config", "nowhere"),
    "unready": ("probe", "no rows yet"),
    "crashes": ("crashes", "code 3"),
    "too-large": ("unscheduled", "cpu"),
}


async def test_why_a_pod_is_not_ready_is_said_with_its_evidence_and_follows_it(
    shop_node: Cluster, browser: Browser, broken: list[str]
) -> None:
    async with at_desk(shop_node, browser) as desk:
        for name in broken:
            finding, says = WHY[name]
            await desk.see(f"why?pod=default/{name}", ready=".verdict")
            card = desk.page.locator(f"[data-finding={finding}]")
            await expect(card.locator(".says")).to_contain_text(says)
            await expect(card.locator(".evidence code").first).to_be_visible()
        await desk.picture("why")
        await desk.see("why?pod=default/unready", ready=".verdict")
        await expect(desk.page.locator(".evidence", has_text="Event Unhealthy")).to_contain_text("no rows yet")
        shop_node.kubectl(
            "delete", "pod", "unready", "-n", "default", "--grace-period=0", "--force", "--ignore-not-found"
        )
        await expect(desk.page.locator(".answer")).to_contain_text("no pod default/unready")


async def test_a_killed_container_heals_on_screen_with_its_times(shop_node: Cluster, browser: Browser) -> None:
    async with at_desk(shop_node, browser) as desk:
        page = desk.page
        await desk.see("workloads?namespace=shop&q=web", ready="[data-kind=container]")
        fresh = (
            page.locator("[data-kind=container]", has_text="nginx").filter(has_not_text="↻").first
        )  # no back-off yet
        row = page.locator(f"[data-key='{await fresh.get_attribute('data-key')}']")
        before = restarts_of_web(shop_node)
        await row.get_by_role("button", name=re.compile(r"Kill container nginx of pod web-")).click()
        ready = row.locator("[data-step=ready][data-ms]")
        await expect(ready).to_be_visible()
        took = [int(str(await row.locator(f"[data-step={s}]").get_attribute("data-ms"))) for s in ("running", "ready")]
        assert 0 < took[0] <= took[1] < 30_000, took
        await expect(row.locator(".cell-state")).to_contain_text("↻")
        await expect(page.locator("#announce")).to_contain_text("runs again after")
        await desk.picture("healed")
    assert restarts_of_web(shop_node) == before + 1


def restarts_of_web(cluster: Cluster) -> int:
    pods = json.loads(cluster.kubectl("get", "pods", "-n", "shop", "-l", "app=web", "-o", "json").stdout)["items"]
    return sum(pod["status"]["containerStatuses"][0]["restartCount"] for pod in pods)


MARKUP = "<img src=x onerror=alert(1)>"


async def test_logs_are_followed_into_the_next_life(shop_node: Cluster, browser: Browser) -> None:
    command = ["sh", "-c", f"echo 'life begins'; echo '{MARKUP}'; while sleep 0.3; do echo tick; done"]
    says = {"name": "c", "image": "naru/base", "imagePullPolicy": "Never", "command": command}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "says"}, "spec": {"containers": [says]}}
    shop_node.kubectl("create", "-f", "-", stdin=json.dumps(pod))
    try:
        async with at_desk(shop_node, browser) as desk:
            await desk.see("logs?pod=default/says&container=c", ready=".log-line")
            lines = desk.page.locator(".log-line")
            await expect(lines.filter(has_text="life begins")).to_have_count(1)
            await expect(lines.filter(has_text=MARKUP)).to_have_count(1)  # a text, whatever it looks like
            assert await desk.page.locator(".log img").count() == 0
            await expect(lines.filter(has_text="tick").nth(2)).to_be_visible()
            node = json.loads(shop_node.kubectl("get", "pod", "says", "-o", "json").stdout)["spec"]["nodeName"]
            path = f"/api/v1/nodes/{node}/proxy/kill/default/says/c"
            shop_node.kubectl("create", "--raw", path, "-f", "-", stdin="")
            await expect(desk.page.locator(".log-life")).to_have_count(1)
            await expect(lines.filter(has_text="life begins")).to_have_count(2)
            await desk.picture("logs")
    finally:
        shop_node.kubectl("delete", "pod", "says", "--grace-period=0", "--force", "--ignore-not-found")


async def test_events_come_by_themselves(shop_node: Cluster, browser: Browser) -> None:
    name = f"newcomer-{uuid.uuid4().hex[:6]}"
    async with at_desk(shop_node, browser) as desk:
        await desk.see(f"events?about={name}", ready="h1")
        await expect(desk.page.locator(".empty")).to_be_visible()
        container = {"name": "c", "image": "naru/base", "imagePullPolicy": "Never", "command": ["sleep", "9"]}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"containers": [container]}}
        shop_node.kubectl("create", "-f", "-", stdin=json.dumps(pod))
        try:
            await expect(desk.page.locator(".row", has_text="Started")).to_contain_text(f"Pod {name}")
        finally:
            shop_node.kubectl("delete", "pod", name, "--grace-period=0", "--force", "--ignore-not-found")


async def test_axe_finds_nothing_serious_in_any_view(shop_node: Cluster, browser: Browser) -> None:
    async with at_desk(shop_node, browser) as desk:
        for view, ready in VIEWS.items():
            await desk.see(view, ready=ready)
            assert await desk.complaints() == [], view


@pytest.mark.parametrize(("width", "height"), [(320, 640), (1280, 900), (2560, 1400)])
async def test_every_view_fits_the_screen(shop_node: Cluster, browser: Browser, width: int, height: int) -> None:
    async with at_desk(shop_node, browser, width=width, height=height, color_scheme="dark") as desk:
        for view, ready in VIEWS.items():
            await desk.see(view, ready=ready)
            await desk.picture(f"{view or 'home'}-{width}")
            wide = await desk.page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, f"{view}: {wide} px"


HANGUL = re.compile("[가-힣]")
TOLD = {"path": ".hop-says", "beneath": ".level-horizon p"}  # what the agent says of the machine


async def test_words_languages_and_colours_are_switched_and_remembered(shop_node: Cluster, browser: Browser) -> None:
    async with at_desk(shop_node, browser, color_scheme="light") as desk:
        page = desk.page
        await desk.see("workloads", ready="[data-kind=container]")
        ground = "getComputedStyle(document.body).backgroundColor"
        light = await page.evaluate(ground)
        await page.get_by_role("button", name="한국어").click()
        await expect(page.locator("main h1")).to_have_text("워크로드")
        await expect(page.locator("html")).to_have_attribute("lang", "ko")
        await page.get_by_role("button", name="VMware").click()
        await expect(page.locator("[data-kind=container] .kind").first).to_have_text("게스트의 애플리케이션")
        await page.get_by_role("button", name="어둡게").click()
        assert await page.evaluate(ground) != light
        await desk.picture("korean-vmware-dark")
        for view, told in TOLD.items():
            await desk.see(view, ready=told)
            for text in await page.locator(told).all_inner_texts():
                assert HANGUL.search(text), text
            await desk.picture(f"{view}-korean-vmware")
        await desk.see("workloads", ready="[data-kind=container]")
        await page.reload()
        await expect(page.locator("main h1")).to_have_text("워크로드")
        await expect(page.get_by_role("button", name="VMware")).to_have_attribute("aria-pressed", "true")
        assert await page.evaluate(ground) != light


async def test_the_keyboard_alone_reaches_everything(shop_node: Cluster, browser: Browser) -> None:
    async with at_desk(shop_node, browser) as desk:
        page = desk.page
        await desk.see("", ready="#ask-path")
        await page.reload()
        await page.locator("#ask-path").wait_for()
        await page.keyboard.press("Tab")
        await expect(page.locator("#skip")).to_be_focused()
        await page.locator("#nav a").nth(1).focus()
        await page.keyboard.press("Enter")
        await page.locator("[data-kind=container]").first.wait_for()
        rows = page.locator("[role=row]")
        await page.locator("[role=row][tabindex='0']").focus()
        await page.keyboard.press("ArrowDown")
        await expect(rows.nth(1)).to_be_focused()
        await page.keyboard.press("ArrowLeft")  # closes the ReplicaSet
        await expect(rows.nth(1)).to_have_attribute("aria-expanded", "false")
        await page.keyboard.press("ArrowRight")
        await expect(rows.nth(1)).to_have_attribute("aria-expanded", "true")
        await page.keyboard.press("End")
        await expect(page.locator(":focus")).to_have_attribute("data-kind", "container")
        for _ in range(3):
            await page.keyboard.press("Tab")
        await expect(page.locator(":focus")).to_have_accessible_name(re.compile(r"Kill container nginx of pod web-"))
        await page.screenshot(path=kept("keyboard"))
