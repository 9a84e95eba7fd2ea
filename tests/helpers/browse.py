#!/usr/bin/python3
# browse PROGRAM PAGE [--pictures DIRECTORY] MODE-WIDTHxHEIGHT…: opens a file in headless Chromium, over
# its debugging pipe, once for each view: light, dark or print, as a window of that size, or a phone of
# that width, always in a tab of its own. Prints one object of JSON a view, in a line: the messages of
# its console and its log, the addresses that it asked for beside the page, whether the page is wider
# than the window, its background, and what the page's words are. The pictures are named
# MODE-WIDTH.png, of the whole page.
#
# SPDX-License-Identifier: BSD-2-Clause
import base64
import json
import os
import subprocess
import sys
import tempfile

program, page, *views = sys.argv[1:]
pictures = None
if views[0] == "--pictures":
    pictures = views[1]
    del views[:2]
to_browser, from_us = os.pipe()
from_browser, to_us = os.pipe()


def take_places():
    # By way of numbers that neither of them can have.
    os.dup2(to_browser, 1003)
    os.dup2(to_us, 1004)
    os.dup2(1003, 3)
    os.dup2(1004, 4)


browser = subprocess.Popen(
    [program, "--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe",
     "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars", "--disable-extensions",
     "--user-data-dir=" + tempfile.mkdtemp(), "about:blank"],
    preexec_fn=take_places, close_fds=False, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
os.close(to_us)
answers = os.fdopen(from_browser, "rb", 0)
said, asked, number, rest = [], [], 0, b""  # of the view that is open
loaded = False


def hear():
    global rest, loaded
    while b"\0" not in rest:
        more = answers.read(65536)
        if not more:
            sys.exit("the browser has ended")
        rest += more
    line, rest = rest.split(b"\0", 1)
    event = json.loads(line)
    method, parameters = event.get("method"), event.get("params", {})
    if method == "Runtime.consoleAPICalled":
        said.append(parameters["type"] + ": " + str(parameters["args"]))
    elif method == "Runtime.exceptionThrown":
        said.append("exception: " + str(parameters["exceptionDetails"]))
    elif method == "Log.entryAdded":
        said.append(parameters["entry"]["level"] + ": " + parameters["entry"]["text"])
    elif method == "Network.requestWillBeSent":
        asked.append(parameters["request"]["url"])
    elif method == "Page.loadEventFired":
        loaded = True
    return event


def ask(method, session=None, **parameters):
    global number
    number += 1
    message = {"id": number, "method": method, "params": parameters}
    if session:
        message["sessionId"] = session
    os.write(from_us, json.dumps(message).encode() + b"\0")
    while True:
        event = hear()
        if event.get("id") == number:
            if "error" in event:
                sys.exit(method + ": " + str(event["error"]))
            return event["result"]


def value(session, expression):
    return ask("Runtime.evaluate", session, expression=expression, returnByValue=True)["result"]["value"]


def look(view):
    global loaded
    mode, size = view.split("-")
    width, height = map(int, size.split("x"))
    target = ask("Target.createTarget", url="about:blank")["targetId"]
    session = ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
    for domain in ("Page", "Runtime", "Log", "Network"):
        ask(domain + ".enable", session)
    ask("Emulation.setDeviceMetricsOverride", session, width=width, height=height,
        deviceScaleFactor=1, mobile=width < 600)
    if mode == "print":
        ask("Emulation.setEmulatedMedia", session, media="print")
    else:
        ask("Emulation.setEmulatedMedia", session,
            features=[{"name": "prefers-color-scheme", "value": mode}])
    said.clear()
    asked.clear()
    loaded = False
    ask("Page.navigate", session, url="file://" + page)
    while not loaded:
        hear()
    answer = {
        "console": said,
        "asked": [url for url in asked if url != "file://" + page and not url.startswith("data:")],
        "wide": value(session, "document.documentElement.scrollWidth > window.innerWidth"),
        "background": value(session, "getComputedStyle(document.body).backgroundColor"),
        "title": value(session, "document.title"),
        "scripts": value(session, "document.scripts.length"),
        "text": value(session, "document.body.innerText"),
    }
    if pictures:
        take_picture(session, width, "%s/%s-%d.png" % (pictures, mode, width))
    print(json.dumps(answer))
    ask("Target.closeTarget", targetId=target)


def take_picture(session, width, path):
    tall = value(session, "document.documentElement.scrollHeight")
    picture = ask("Page.captureScreenshot", session, format="png", captureBeyondViewport=True,
                  clip={"x": 0, "y": 0, "width": width, "height": min(tall, 4000), "scale": 1})
    with open(path, "wb") as file:
        file.write(base64.b64decode(picture["data"]))


for view in views:
    look(view)
browser.kill()
