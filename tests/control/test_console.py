"""The console: how it is given out, and what it does in a real browser, part by part."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from tests.support.browser import CHROMIUM, Page, browser
from tests.support.serving import Serving, load, serve_process, turtle

TOKEN = "a-token-of-some-length"
PAGE = Path(__file__).resolve().parents[2] / "src/api_gateway_service_mesh/control/console/page"
HOSTILE = "<img src=x onerror=alert(1)>\"'</script><script>alert(2)</script>"
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
loop = pytest.mark.asyncio(loop_scope="module")


def config(port: int) -> str:
    return turtle(f"""@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
ex:gateway a agw:ApiGateway ; agw:hasRoute ex:users, ex:orders ; rdfs:label "town" .
ex:users a agw:Route ; agw:routePath "/users/*" ; agw:httpMethod "GET" ; agw:hasBackendService ex:people ;
  agw:hasRateLimiter ex:limit .
ex:limit a agw:RateLimiter ; agw:requestsPerSecond 5 ; agw:burstSize 5 .
ex:orders a agw:Route ; agw:routePath "/orders/*" ; agw:hasBackendService ex:shop ; agw:hasCircuitBreaker ex:breaker .
ex:breaker a agw:CircuitBreaker ; agw:failureThreshold 3 ; agw:timeoutSeconds 60 .
ex:people a agw:BackendService ; agw:hasInstance ex:one, ex:two .
ex:one a agw:ServiceInstance ; agw:address "127.0.0.1:{port}" .
ex:two a agw:ServiceInstance ; agw:address "localhost:{port}" .
ex:shop a agw:BackendService ; agw:address "127.0.0.1:{port}" ; rdfs:label {json.dumps(HOSTILE)} .
""")


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, backend_port: int) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("console")
    file = folder / "gateway.ttl"
    file.write_text(config(backend_port))
    with serve_process(file, "--store", folder / "store", "--workers", "1") as running:
        yield running


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, backend_port: int) -> Iterator[Serving]:
    file = tmp_path_factory.mktemp("guarded") / "gateway.ttl"
    file.write_text(config(backend_port))
    with serve_process(file, "--workers", "1", environment={"AGW_ADMIN_TOKEN": TOKEN}) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium() -> AsyncIterator[Page]:
    async with browser() as page:
        yield page


@pytest_asyncio.fixture(loop_scope="module")
async def page(chromium: Page) -> AsyncIterator[Page]:
    """A tab that must not have complained when the test is over, nor have asked anybody but the gateway."""
    await chromium.open("about:blank")
    await chromium.size(1280, 800)
    chromium.said.clear()
    chromium.asked.clear()
    yield chromium
    assert [line for line in chromium.said if "status of 503" not in line] == []  # busy: it asks again
    origins = {"/".join(url.split("/", 3)[:3]) for url in chromium.asked if url.startswith("http")}
    assert all(re.fullmatch(r"http://127\.0\.0\.1:\d+", origin) for origin in origins)


async def send(method: str, url: str, **fields: str) -> tuple[int, Mapping[str, str], bytes]:
    async with aiohttp.ClientSession() as session, session.request(method, url, headers=fields) as answer:
        return answer.status, answer.headers, await answer.read()


# --- how it is given out ---------------------------------------------------------------------------------------------


async def test_the_page_and_its_files_are_given_out_with_a_strict_policy(gateway: Serving) -> None:
    status, headers, body = await send("GET", f"{gateway.admin}/console")
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    policy = headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    for name in re.findall(r'(?:src|href)="(/[^"]*)"', body.decode()):
        status, headers, _ = await send("GET", gateway.admin + name)
        assert status == 200, name
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Content-Security-Policy"] == policy
        assert (await send("GET", gateway.admin + name, **{"If-None-Match": headers["ETag"]}))[0] == 304
    assert (await send("GET", f"{gateway.admin}/console/nope.js"))[0] == 404
    assert (await send("GET", f"{gateway.admin}/routes"))[1]["X-Content-Type-Options"] == "nosniff"


def test_the_page_has_no_script_no_style_and_no_address_of_its_own() -> None:
    text = (PAGE / "index.html").read_text()
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|https?://", text)
    for path in PAGE.glob("*.js"):
        if path.name != "editor.js":
            assert not re.search(
                r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", path.read_text()
            ), path
            assert len(path.read_text().splitlines()) < 300, path


def test_the_editor_is_small_and_its_licences_are_with_it() -> None:
    lock = json.loads((PAGE.parents[4] / "tools/console/package-lock.json").read_text())["packages"]
    licences = (PAGE / "editor.LICENSES.txt").read_text()
    for name in ("codemirror", "@triply/yasqe"):
        assert f"{name} {lock[f'node_modules/{name}']['version']}, MIT" in licences
    assert licences.count("Permission is hereby granted") == 2
    assert sum(path.stat().st_size for path in PAGE.iterdir()) < 600_000


async def test_only_the_page_is_open_where_a_token_is_wanted(guarded: Serving) -> None:
    for path in ("/console", "/console/main.js", "/console/editor.js"):
        assert (await send("GET", guarded.admin + path))[0] == 200
    for path in ("/routes", "/sparql", "/console/../routes", "/console/%2e%2e/routes", "/console//routes"):
        assert (await send("GET", guarded.admin + path))[0] in (401, 404), path
    assert (await send("GET", f"{guarded.admin}/routes", Authorization=f"Bearer {TOKEN}"))[0] == 200


async def test_a_page_of_another_site_rolls_nothing_back(gateway: Serving) -> None:
    url = f"{gateway.admin}/revisions/1/rollback"
    assert (await send("POST", url, Origin="http://evil.example"))[0] == 403
    assert (await send("POST", url, **{"Sec-Fetch-Site": "cross-site"}))[0] == 403
    assert (await send("POST", url, Origin="null"))[0] == 403


# --- in a browser ----------------------------------------------------------------------------------------------------


@needs_chromium
@loop
async def test_routes_show_what_they_do(gateway: Serving, page: Page) -> None:
    await page.open(f"{gateway.admin}/console")
    await page.until("document.querySelectorAll('table.routes tbody tr[data-iri]').length === 2")
    async with load(f"{gateway.url}/users/1", clients=2) as traffic:
        await traffic.more(200)
        await page.until("document.querySelector('[data-iri$=users] .limit').innerText.includes('refused')")
        await page.until("/ms/.test(document.querySelector('[data-iri$=users] .slow').innerText)")
        assert await page.until("Number(document.querySelector('.tile strong').innerText.replace(',', '')) > 1")
    async with load(f"{gateway.url}/orders/fail", clients=1) as traffic:
        await traffic.more(8)
        await page.until("document.querySelector('[data-iri$=orders] .breaker').innerText === 'open'")
    assert await page.text("[data-iri$=users] .to") == "people"
    await page.click(".name", "users")
    await page.until("document.querySelector('tr.more:not([hidden])').innerText.includes('ex:limit admitted')")
    await page.click("#route-filter")
    await page.write("orders")
    await page.until("document.querySelectorAll('table.routes tbody tr[data-iri]').length === 1")


@needs_chromium
@loop
async def test_the_map_leads_from_the_gateway_to_its_instances(gateway: Serving, page: Page) -> None:
    await page.open(f"{gateway.admin}/console#map")
    await page.until("document.querySelectorAll('.box').length === 8")
    boxes = json.loads(
        await page.run(
            "JSON.stringify([...document.querySelectorAll('.box .body')].map(b => b.getBoundingClientRect().toJSON()))"
        )
    )
    for index, one in enumerate(boxes):
        for other in boxes[index + 1 :]:
            apart = one["right"] <= other["left"] or other["right"] <= one["left"]
            assert apart or one["bottom"] <= other["top"] or other["bottom"] <= one["top"]
    await page.run("document.querySelector('.box').focus()")
    for name in ("ArrowRight", "ArrowRight", "ArrowRight"):
        await page.key(name)
    assert "Instance" in await page.run("document.activeElement.getAttribute('aria-label')")
    await page.key("Enter")
    await page.until("document.querySelector('.panel').innerText.includes('under way')")
    assert await page.run("document.querySelectorAll('.box.dim').length") > 0
    await page.key("Escape")
    assert await page.run("document.querySelectorAll('.box.dim').length") == 0


@needs_chromium
@loop
async def test_a_query_is_completed_run_and_seen_as_table_and_graph(gateway: Serving, page: Page) -> None:
    await page.open(f"{gateway.admin}/console#query")
    await page.until("document.querySelector('.CodeMirror')")
    await page.until("document.querySelectorAll('#question option').length > 10")
    await page.run("document.querySelector('.CodeMirror').CodeMirror.setValue('SELECT ?s ?limit { ?s ')")
    await page.click(".CodeMirror-lines")
    await page.key("End")
    await page.run("(e => e.setCursor(e.lineCount(), 0))(document.querySelector('.CodeMirror').CodeMirror)")
    await page.write("agw:hasRateL")
    # The list of what is written now: while it is made anew, CodeMirror takes Enter for a wish, not for a choice.
    fresh = "(e => e.state.completionActive?.data?.to.ch === e.getCursor().ch)(document.querySelector('.CodeMirror').CodeMirror)"
    await page.until(f"{fresh} && document.querySelector('.CodeMirror-hint')?.innerText.includes('agw:hasRateLimiter')")
    assert "property" in await page.text(".CodeMirror-hint")
    await page.key("Enter")
    await page.write(" ?limit }")
    await page.until("document.querySelector('.CodeMirror').CodeMirror.getValue().startsWith('PREFIX agw: <')")
    await page.key("Enter", control=True)
    await page.until("document.querySelector('.results td')?.innerText === 'ex:users'")
    await page.click(".group button", "Graph")
    await page.until("document.querySelectorAll('.view .box').length === 2")
    assert "limit" in await page.run("document.querySelector('.view .label').textContent")
    await page.click(".group button", "Text")
    assert '"bindings"' in await page.text(".view pre")
    await page.click(".group button", "Table")
    await page.click(".results .iri", "ex:limit")  # asks what is said of it
    await page.until("document.querySelector('.results').innerText.includes('agw:requestsPerSecond')")
    await page.run("document.querySelector('.CodeMirror').CodeMirror.setValue('SELECT * {\\n ?s ?p }')")
    await page.until("document.querySelector('#syntax').innerText.includes('Line 2')")
    await page.run(
        "(q => { q.value = 'routes'; q.dispatchEvent(new Event('change')) })(document.querySelector('#question'))"
    )
    await page.until("document.querySelector('.results')?.innerText.includes('/orders/*')")
    await page.run("document.querySelector('.CodeMirror').CodeMirror.setValue('ASK { ?s a <urn:nothing> }')")
    await page.click("#run")
    await page.until("document.querySelector('.verdict')?.innerText.startsWith('No')")


@needs_chromium
@loop
async def test_a_request_is_explained(gateway: Serving, page: Page) -> None:
    await page.open(f"{gateway.admin}/console")
    await page.click("nav a", "Explain")
    await page.click("#explain-url")
    await page.write("/users/7")
    await page.key("Enter")
    await page.until("document.querySelector('.decision')?.innerText.includes('users')")
    told = await page.text("#explanation")
    assert "5 requests/s" in told
    assert "ex:users agw:routePath" in told
    assert re.search(r"gateway\.ttl:\d+:\d+|follows from", told)
    assert "agw:hasRateLimiter" in await page.text("#effective")
    await page.run("document.querySelector('#explain-why-not').value = 'orders'")
    await page.click("button", "Explain")
    await page.until("document.querySelector('#why-not')?.innerText.includes('/users/7')")
    assert "INSERT" in await page.text("#explanation")
    await page.run("document.querySelector('#explain-why-not').value = ''")
    await page.run("document.querySelector('#explain-url').value = '/nowhere'")
    await page.click("button", "Explain")
    await page.until("document.querySelector('.decision').innerText.includes('404')")
    await page.run("document.querySelector('#explain-revision').value = 'never'")
    await page.click("button", "Explain")
    await page.until("document.querySelector('#explanation .trouble').innerText.includes('neither')")
    page.said.clear()  # that this was refused, as it should be


@needs_chromium
@loop
async def test_an_update_is_made_and_rolled_back(gateway: Serving, page: Page) -> None:
    await page.open(f"{gateway.admin}/console#query")
    await page.until("document.querySelector('.CodeMirror')")
    text = (
        "PREFIX agw: <https://ggen.ai/ontology/api-gateway#> DELETE { ?t agw:timeoutSeconds 60 } "
        "INSERT { ?t agw:timeoutSeconds 30 } WHERE { ?t agw:timeoutSeconds 60 }"
    )
    await page.run(f"document.querySelector('.CodeMirror').CodeMirror.setValue({json.dumps(text)})")
    await page.until("document.querySelector('#run').innerText === 'Update'")
    await page.click("#run")
    await page.click("#sure-why")
    await page.write("shorter")
    await page.key("Enter")
    await page.until("document.querySelector('#result').innerText.includes('Revision 2')")
    await page.click("nav a", "Revisions")
    await page.until("document.querySelector('.revisions li.served')?.innerText.includes('shorter')")
    await page.click(".served button", "Changes")
    await page.until("document.querySelector('.served .detail').textContent.includes('agw:timeoutSeconds')")
    meant = await page.text(".served .meaning")  # in words, before the triples
    assert "orders" in meant
    assert "30" in meant
    await page.click("button.danger", "Roll back")
    await page.until("document.querySelector('#sure-dialog').open")
    await page.until("document.querySelector('#sure-more .meaning').innerText.includes('60')")  # what it would change
    await page.key("Escape")  # no
    await page.until("!document.querySelector('#sure-dialog').open")
    await page.click("button.danger", "Roll back")
    await page.click("#sure-do")
    await page.until("document.querySelector('.revisions li.served').innerText.includes('Revision 3')")
    await page.until("document.querySelector('#status-text').innerText === 'revision 3'")
    status, _, body = await send("GET", f"{gateway.admin}/revisions/3")
    assert (status, json.loads(body)["rolled_back_to"]) == (200, 1)


@needs_chromium
@loop
async def test_what_stands_in_the_graph_stays_text(gateway: Serving, page: Page) -> None:
    long = "x" * 20_000
    rows = f'VALUES (?s ?p ?o) {{ (<http://h/a"%3Cscript%3E> <http://h/p> {json.dumps(HOSTILE)}) (<http://h/b> <http://h/p> "{long}") }}'
    rows = rows.replace('a"', "a'")
    await page.open(f"{gateway.admin}/console#query")
    await page.until("document.querySelector('.CodeMirror')")
    for text in (f"SELECT * {{ {rows} }}", f"CONSTRUCT {{ ?s ?p ?o }} WHERE {{ {rows} }}"):
        await page.run("document.querySelector('#result').textContent = ''")
        await page.run(f"document.querySelector('.CodeMirror').CodeMirror.setValue({json.dumps(text)})")
        await page.click("#run")
        await page.until("document.querySelector('.results')?.innerText.includes('<img src=x')")
        for view in ("Graph", "Text", "Table"):
            await page.click(".group button", view)
            assert await page.run("document.querySelector('main').querySelectorAll('img, script').length") == 0
            assert await page.run("document.documentElement.scrollWidth <= innerWidth")
    await page.run("location.hash = '#query?describe=' + encodeURIComponent('javascript:alert(1)')")
    await asyncio.sleep(0.3)
    await page.run("location.hash = '#map'")
    await page.until("document.querySelectorAll('.box').length === 8")
    assert await page.run("document.querySelector('main').querySelectorAll('img, script').length") == 0


@needs_chromium
@loop
async def test_the_token_is_asked_for_and_kept_in_the_tab_only(guarded: Serving, page: Page) -> None:
    await page.open(f"{guarded.admin}/console")
    await page.until("document.querySelector('#token-dialog').open")
    await page.click("#token-dialog .cancel")
    await page.click("#forget", "Enter token")
    await page.until("document.querySelector('#token-dialog').open")
    await page.write("wrong-token-of-some-length")
    await page.key("Enter")
    await page.until("document.querySelector('#token-why').innerText.includes('refused')")
    await page.write(TOKEN)
    await page.key("Enter")
    await page.until("document.querySelectorAll('table.routes tbody tr[data-iri]').length === 2")
    assert await page.run("JSON.stringify(localStorage).includes('token-of')") is False
    assert await page.run("document.cookie") == ""
    assert TOKEN not in "".join(page.asked)
    await page.click("#forget")
    await page.until("document.querySelector('#token-dialog')?.open")
    assert await page.run("sessionStorage.length") == 0
    page.said[:] = [line for line in page.said if "401" not in line]


@needs_chromium
@loop
async def test_what_a_change_touches_is_told_before_it_is_made(gateway: Serving, page: Page) -> None:
    await send("GET", f"{gateway.url}/users/1")
    await page.open(f"{gateway.admin}/console")
    await page.click(".name", "users")
    await page.click("tr.more:not([hidden]) button", "What hangs on it")
    await page.until("document.querySelector('#impact')?.innerText.includes('1 route')")
    await page.click("nav a", "Map")
    await page.click(".box", "people")
    await page.click(".panel button", "What hangs on it")
    await page.until("document.querySelector('.panel #impact')?.textContent.includes('istio/virtualservice')")
    assert "of the requests so far" in await page.text(".panel #impact")
    await page.open(f"{gateway.admin}/console#query")
    await page.until("document.querySelector('.CodeMirror')")
    assert await page.run("document.querySelector('#dry').hidden")
    text = (
        "PREFIX agw: <https://ggen.ai/ontology/api-gateway#> DELETE { ?t agw:requestsPerSecond 5 } "
        "INSERT { ?t agw:requestsPerSecond 6 } WHERE { ?t agw:requestsPerSecond 5 }"
    )
    await page.run(f"document.querySelector('.CodeMirror').CodeMirror.setValue({json.dumps(text)})")
    await page.until("!document.querySelector('#dry').hidden")
    await page.click("#dry")
    await page.until("document.querySelector('#result #impact')?.innerText.includes('users')")
    await page.click("#run")
    await page.until("document.querySelector('#sure-more #impact')?.innerText.includes('users')")
    await page.key("Escape")
    listed = json.loads((await send("GET", f"{gateway.admin}/revisions"))[2])
    await page.run(
        f"document.querySelector('.CodeMirror').CodeMirror.setValue({json.dumps(text.replace('INSERT { ?t agw:requestsPerSecond 6', 'INSERT { ?t agw:requestsPerSec 6'))})"
    )
    await page.click("#dry")
    await page.until("document.querySelector('#result .trouble')?.innerText.includes('requestsPerSec')")
    page.said.clear()  # that this was refused, as it should be
    assert json.loads((await send("GET", f"{gateway.admin}/revisions"))[2]) == listed


@needs_chromium
@loop
async def test_the_doctor_is_asked(gateway: Serving, page: Page) -> None:
    await page.open(f"{gateway.admin}/console#doctor")
    await page.click("#examine")
    await page.until("document.querySelector('#diagnosed')?.innerText.includes('questions asked')")


@needs_chromium
@loop
async def test_everything_is_reached_by_keys_and_named(gateway: Serving, page: Page) -> None:
    await page.open(f"{gateway.admin}/console")
    await page.until("document.querySelector('.name')")
    for number, part in enumerate(("routes", "map", "query", "explain", "revisions", "doctor"), 1):
        await page.run("document.activeElement?.blur()")
        await page.key(str(number))
        await page.until(f"document.querySelector('#{part}').hidden === false")
        await asyncio.sleep(0.3)
        unnamed = """[...document.querySelectorAll('button, input, select, textarea, a, [role=button]')].filter(n =>
            n.checkVisibility() && !n.closest('.CodeMirror') && !(n.getAttribute('aria-label') || n.labels?.length || n.textContent.trim()))
            .map(n => n.outerHTML)"""
        assert await page.run(unnamed) == []
        seen = set()
        await page.run("document.querySelector('.skip').focus()")
        for _ in range(12):
            await page.key("Tab")
            seen.add(
                await page.run("document.activeElement.outerHTML.slice(0, 200) + document.activeElement.textContent")
            )
        assert len(seen) > 7, part  # the focus goes on, and is caught nowhere
    await page.run("document.activeElement?.blur()")
    await page.key("?")
    await page.until("document.querySelector('#help-dialog').open")
    await page.key("Escape")
    await page.until("!document.querySelector('#help-dialog').open")


@needs_chromium
@loop
@pytest.mark.parametrize("width", [360, 768, 1280])
async def test_every_part_fits_its_window_in_both_themes(gateway: Serving, page: Page, width: int) -> None:
    for dark in (False, True):
        await page.size(width, 740, dark=dark)
        await page.open(f"{gateway.admin}/console")
        await page.run("localStorage.setItem('agw.theme', 'auto')")
        await page.until("document.querySelector('.name')")
        for part in ("routes", "map", "query", "explain", "revisions", "doctor"):
            await page.run(f"location.hash = '{part}'")
            await asyncio.sleep(0.2)
            assert await page.run("document.documentElement.scrollWidth") <= width, part
        light = await page.run("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)[0] > 128")
        assert light is not dark
    await page.click("#theme")
    assert await page.text("#theme") == "Light"
    assert await page.run("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)[0]") > 128
    await page.run("localStorage.clear()")


@needs_chromium
@loop
async def test_of_many_revisions_the_latest_are_shown_and_the_earlier_when_wanted(gateway: Serving, page: Page) -> None:
    text = (
        "PREFIX agw: <https://ggen.ai/ontology/api-gateway#> PREFIX ex: <http://example.org/> DELETE { ex:orders "
        "agw:priority ?o } INSERT { ex:orders agw:priority %d } WHERE { ex:orders a agw:Route OPTIONAL { ex:orders "
        "agw:priority ?o } }"
    )
    async with aiohttp.ClientSession() as session:
        for number in range(50):
            async with session.post(f"{gateway.admin}/sparql", data={"update": text % number}) as answer:
                assert answer.status == 200, await answer.text()
    await page.open(f"{gateway.admin}/console#revisions")
    await page.until("document.querySelectorAll('.revisions > li').length === 50")
    await page.click("button", "Earlier revisions")
    await page.until("document.querySelector('.revisions > li:last-child').innerText.includes('Revision 1')")
    await page.until("document.querySelector('.revisions + button').hidden")
