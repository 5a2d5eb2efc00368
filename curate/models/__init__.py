"""The only code that touches a model or a network."""

from curate.models.waiting_threads import let_waiting_threads_sleep

let_waiting_threads_sleep()  # here, as it must be done before torch is imported, which many modules do
