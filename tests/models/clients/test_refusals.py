"""x"""


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b'{"error": {"message": "too\\n long", "code": "c", "param": "p"}}', "too long"),
        (b'{"error": "model not found"}', "model not found"),
        (b'{"object": "error", "message": "bad", "code": 400}', "bad"),
        (b'{"detail": "Not Found"}', "Not Found"),
        (b"<h1>Bad\nGateway</h1>", "<h1>Bad Gateway</h1>"),
        (b'{"error": {"message": "a\\u001b[31mb\\u0000"}}', "a [31mb"),
        (b"", ""),
    ],
)
def test_errors_of_many_servers_are_read(raw, message):
    assert complaint.complaint(raw).message == message


def test_verdicts():
    plain, broke = complaint.Complaint("no", "", ""), complaint.Complaint("quota", "insufficient_quota", "")
    statuses = (301, 307, 400, 401, 402, 403, 404, 405, 408, 409, 413, 422, 429, 500, 502, 503, 529)
    meant = {status: complaint.verdict(status, plain) for status in statuses}
    assert {s for s, v in meant.items() if v == "stop"} == {301, 307, 401, 402, 403, 404, 405}
    assert {s for s, v in meant.items() if v == "error"} == {400, 413, 422}
    assert complaint.verdict(429, broke) == "stop"


@pytest.mark.parametrize(
    ("message", "refused"),
    [
        ("'n' : number must be at most 1", True),
        ("Only one completion choice is allowed", True),
        ("n must be 1 when using greedy sampling, got 4", True),
        ("This model's maximum context length is 4096 tokens", False),
        ("response_format is not supported", False),
    ],
)
def test_a_refusal_of_several_choices_is_recognised(message, refused):
    assert complaint.refuses_choices(complaint.Complaint(message, "", "")) == refused
    assert complaint.refuses_choices(complaint.Complaint("no", "", "n"))
