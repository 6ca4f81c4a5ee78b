"""``cdc supervise``: watches connectors, slots, topics and streams, restarts what may be restarted, and pages.

Pure, with the clock passed in: :mod:`restarts` (when), :mod:`causes` (whether), :mod:`forecast`, :mod:`rules` (what is
wrong), :mod:`alerts` (what is told). Looking: :mod:`connect_look`, :mod:`source_look`, :mod:`warehouse_look`,
:mod:`topic_look`, into :mod:`seen`. Acting: :mod:`journal` (the right to act, and its record), :mod:`delivery`,
:mod:`checks`. :mod:`supervisor` is the loop.
"""
