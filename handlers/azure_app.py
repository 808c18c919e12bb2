"""The functions of Azure, in the v2 programming model; with what azure-functions 1.26 and 2.x share.

Apart from handlers/azure.py, because the operator's commands run without azure-functions.
"""

import azure.functions as func

from core.ports import Message
from handlers import azure

app = func.FunctionApp()


@app.function_name("process")
@app.queue_trigger(arg_name="message", queue_name="%SLUICE_WORK_QUEUE%", connection="SLUICE_STORAGE")
def process(message: func.QueueMessage) -> None:
    """Work off one message. Event Grid puts them into the queue directly."""
    azure.process_message(
        Message(
            message_id=message.id or "",
            body=message.get_body().decode(errors="replace"),
            receipt=message.pop_receipt or "",
            receive_count=message.dequeue_count or 1,
        )
    )


@app.function_name("watch")
@app.timer_trigger(arg_name="timer", schedule="0 * * * * *")
def watch(timer: func.TimerRequest) -> None:
    """Look after this cloud, and at all others. A call that comes late is as good as any."""
    azure.watch({}, timer)
