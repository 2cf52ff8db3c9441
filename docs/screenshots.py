"""
Take screenshots of all pages: `python docs/screenshots.py` writes docs/images (light, dark, phone).

It starts its own quick start, creates sessions as two users, and stops it.
"""

import asyncio
import base64
import os
import struct
import sys
import zlib
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray
from playwright.async_api import Page

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from spot_optimizer.tests.browser.chromium import MISSING, find_chromium, launch_browser  # noqa: E402
from spot_optimizer.tests.browser.page_monitor import MonitoredPages, monitored_pages  # noqa: E402
from spot_optimizer.tests.browser.users import BrowserUser, create_user  # noqa: E402
from spot_optimizer.tests.quickstart import Platform  # noqa: E402

IMAGES = ROOT / "docs" / "images"
LAB, FULL = "/api/v1/lab", {"pipeline_mode": "CLUSTER_FULL"}
LOOKS: dict[str, dict[str, bool]] = {"light": {}, "dark": {"dark": True}, "phone": {"phone": True}}
TALLEST = {"light": 1900, "dark": 1900, "phone": 1500}  # [px]
MOST_BYTES = 150_000
PIXELS = """async (png) => {
  const image = await createImageBitmap(await (await fetch(`data:image/png;base64,${png}`)).blob());
  const context = new OffscreenCanvas(image.width, image.height).getContext("2d");
  context.drawImage(image, 0, 0);
  const bytes = context.getImageData(0, 0, image.width, image.height).data;
  let text = "";
  for (let at = 0; at < bytes.length; at += 32768) {
    text += String.fromCharCode(...bytes.subarray(at, at + 32768));
  }
  return [image.width, image.height, btoa(text)];
}"""


def main() -> None:
    if find_chromium() is None:
        raise SystemExit(MISSING)
    IMAGES.mkdir(exist_ok=True)
    # Ignore the user's settings: the screenshots show the quick start with its defaults.
    os.environ |= {"DATABASE_URL": "", "REDIS_URL": "", "BCRYPT_ROUNDS": "4"}
    os.environ["THROTTLE_LOGIN"] = "1000/min"  # each screenshot signs in again
    with TemporaryDirectory() as folder, Platform(Path(folder) / "var") as platform:
        try:
            asyncio.run(screenshot_pages(platform))
        finally:
            platform.stop()


async def screenshot_pages(platform: Platform) -> None:
    newcomer = create_user(platform, name="newcomer")
    researcher = create_user(platform, "lab", name="you")
    paths = create_sessions(platform, researcher)
    pages_to_visit = {
        "sign-in": ("/sign-in", None),
        "register": ("/register", None),
        "first-visit": ("/", newcomer),
        "new-session": ("/sessions/new?demo", newcomer),
        "sessions": ("/", researcher),
        "session": (paths["session"], researcher),
        "lab": ("/lab", researcher),
        "lab-instance": (paths["instance"], researcher),
        "not-found": ("/lab/instances/i-0", newcomer),
    }
    async with (
        launch_browser(find_chromium() or "") as browser,
        monitored_pages(browser, platform.base_url) as pages,
    ):
        pages.expect("status 404")  # the last of them
        decoder = await pages.open()
        for name, (path, person) in pages_to_visit.items():
            for look in LOOKS:
                await _screenshot_page(pages, decoder, name, look, path, person)


def create_sessions(platform: Platform, person: BrowserUser) -> dict[str, str]:
    """Create three sessions; evaluate one with each model, and promote each model once."""
    spot = [each for each in platform.emulator("")["instances"] if each["lifecycle"] == "spot"]
    judged = platform.create_session(person.token, spot[0])
    found = platform.request("GET", f"{LAB}/models", token=person.token).json()["results"]
    models = sorted(found, key=lambda model: str(model["stage"]))  # the champion last
    for model in models:
        wanted = {"instance_id": judged["instance_id"], "model_id": model["model_id"]}
        platform.request("POST", f"{LAB}/assign-model", wanted, person.token)
        for _ in range(5):
            platform.evaluate(judged["session_id"], person.token)
    for model in models:
        path = f"{LAB}/models/{model['model_id']}/stage"
        platform.request("POST", path, {"stage": "champion"}, person.token)
    platform.request("PUT", f"{LAB}/config/{judged['instance_id']}", FULL, person.token)
    platform.evaluate(judged["session_id"], person.token)
    platform.create_session(person.token, spot[-1])
    over = platform.create_session(person.token)
    platform.request("DELETE", f"/api/v1/sandbox/sessions/{over['session_id']}", token=person.token)
    return {
        "session": f"/sessions/{judged['session_id']}",
        "instance": f"/lab/instances/{judged['instance_id']}",
    }


async def _screenshot_page(
    pages: MonitoredPages,
    decoder: Page,
    name: str,
    look: str,
    path: str,
    person: BrowserUser | None,
) -> None:
    page = await pages.open(person, **LOOKS[look])
    await page.goto(path)
    await page.wait_for_timeout(1000)  # streams catch up, charts are drawn
    width = await page.evaluate("innerWidth")
    height = await page.evaluate("document.documentElement.scrollHeight")
    clip: Any = {"x": 0, "y": 0, "width": width, "height": min(height, TALLEST[look])}
    png = small(*await _pixels(decoder, await page.screenshot(full_page=True, clip=clip)))
    if len(png) > MOST_BYTES:
        raise SystemExit(f"{name}-{look}.png has {len(png):,} bytes: show less of that page.")
    (IMAGES / f"{name}-{look}.png").write_bytes(png)
    print(f"{name}-{look}.png  {len(png):,} bytes")  # noqa: T201
    await page.context.close()


async def _pixels(decoder: Page, png: bytes) -> tuple[int, int, NDArray[np.uint8]]:
    """Decode the PNG in the browser: no installed library reads PNG."""
    width, height, text = await decoder.evaluate(PIXELS, base64.b64encode(png).decode())
    pixels = np.frombuffer(base64.b64decode(text), np.uint8).reshape(height, width, 4)
    return width, height, pixels[..., :3]


def small(width: int, height: int, pixels: NDArray[np.uint8]) -> bytes:
    """Return a PNG with a palette of 256 colors, which is a third of the size."""
    exact = pixels.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
    colors, counts = np.unique(exact, return_counts=True)
    chosen = _palette(colors, counts)
    nearest = np.abs(_channels(colors)[:, None] - _channels(chosen)[None]).sum(2).argmin(1)
    rows = np.zeros((height, 1 + width), np.uint8)  # each row starts with its filter type: none
    rows[:, 1:] = nearest[np.searchsorted(colors, exact)]
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    palette = _channels(chosen).astype(np.uint8).tobytes()
    body = zlib.compress(rows.tobytes(), 9)
    parts = [(b"IHDR", header), (b"PLTE", palette), (b"IDAT", body), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in parts)


def _palette(colors: NDArray[np.uint32], counts: NDArray[np.intp]) -> NDArray[np.uint32]:
    """Return the most frequent colors, and those most different from them: red text stays red."""
    chosen = list(np.argsort(-counts, kind="stable")[:192])
    channels = _channels(colors)
    far = np.abs(channels[:, None] - channels[chosen][None]).sum(2).min(1)
    while len(chosen) < 256 and far.any():
        chosen.append(far.argmax())
        far = np.minimum(far, np.abs(channels - channels[chosen[-1]]).sum(1))
    return colors[chosen]


def _channels(colors: NDArray[np.uint32]) -> NDArray[np.int16]:
    return np.stack([colors >> 16, colors >> 8 & 255, colors & 255], axis=-1).astype(np.int16)


def _chunk(kind: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)


if __name__ == "__main__":
    main()
