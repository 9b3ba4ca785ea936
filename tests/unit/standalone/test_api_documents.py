"""The documents that the page's types are made from."""

from dcron_standalone.api_documents import documents


async def test_both_services_and_the_frames_are_described_without_a_server() -> None:
    """Each document holds what the page asks that service for."""
    found = await documents()
    assert "/api/v1/jobs/{job_id}/history" in found["master.json"]["paths"]
    answers = found["log-ingester.json"]["paths"]["/api/v1/executions/{execution_id}/output"]["get"]["responses"]
    assert answers["200"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/OutputPage"}
    frames = found["frames.json"]["components"]["schemas"]
    assert {"Frame", "FeedFrame", "StateFrame", "RunFrame"} <= set(frames)
