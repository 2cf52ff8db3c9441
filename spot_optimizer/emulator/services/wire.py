"""The AWS wire protocols: parses requests, serializes results and errors."""

import json
import uuid
from typing import Any, NamedTuple
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from botocore.exceptions import UnknownServiceError
from botocore.model import OperationNotFoundError
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.serialize import get_serializer_class
from moto.core.utils import get_service_model
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Request, Response

PROTOCOLS = {"ec2": "ec2", "sts": "query", "pricing": "json"}

# The service of an unsigned request, by its API version or target.
SERVICES = {"2016-11-15": "ec2", "2011-06-15": "sts", "AWSPriceListService": "pricing"}

GARBAGE = "<<< 0x17 \ufffd this is not a response of AWS {]"


class AwsError(Exception):
    """An AWS error: its code, message and HTTP status."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


class Caller(NamedTuple):
    """The identity that signed a request."""

    arn: str
    user_id: str


ANONYMOUS = Caller("", "")


class Call(NamedTuple):
    """One request for one action. It holds no secret; ``access_key`` is "" when unsigned."""

    service: str
    action: str
    region: str
    access_key: str
    dry_run: bool
    request: Request
    caller: Caller = ANONYMOUS

    @property
    def name(self) -> str:
        return f"{self.service}:{self.action}"


def read_call(request: Request) -> Call:
    """Parse a request. Neither the signature nor the action is checked."""
    form = {key: values[0] for key, values in _form(request).items()}
    target = request.headers.get("X-Amz-Target", "")
    access_key, region, service = _credential_scope(request.headers.get("Authorization", ""))
    service = service or SERVICES.get(form.get("Version") or target.partition(".")[0], "s3")
    action = form.get("Action") or target.rpartition(".")[2] or _rest_action(request)
    dry_run = service == "ec2" and form.get("DryRun", "").lower() == "true"
    return Call(service, action, region, access_key, dry_run, request)


def _credential_scope(authorization: str) -> tuple[str, str, str]:
    scope = authorization.partition("Credential=")[2].partition(",")[0].strip()
    parts = scope.split("/")
    if not authorization.startswith("AWS4-HMAC-SHA256") or len(parts) != 5:
        return "", "", ""
    return parts[0], parts[2], parts[3].lower()


def _form(request: Request) -> dict[str, list[str]]:
    is_form = request.headers.get("Content-Type", "").startswith("application/x-www-form")
    body = request.get_data(cache=True).decode("utf-8", "replace") if is_form else ""
    return parse_qs(f"{request.query_string.decode('latin-1')}&{body}", keep_blank_values=True)


def _rest_action(request: Request) -> str:
    verb = {"GET": "Get", "HEAD": "Head", "PUT": "Put", "DELETE": "Delete"}
    return verb.get(request.method, request.method.title()) + "Object"


def parameters(call: Call) -> dict[str, Any]:
    """
    Return the parameters of a call, with the types that boto3 has for them.

    :raises AwsError: the action is unknown, or a parameter cannot be read
    """
    try:
        operation = get_service_model(call.service).operation_model(call.action)
        parsed: dict[str, Any] = PROTOCOL_PARSERS[PROTOCOLS[call.service]](operation).parse(
            {
                "method": call.request.method,
                "values": MultiDict(_form(call.request)),
                "headers": call.request.headers,
                "body": call.request.get_data(cache=True),
                "url_path": call.request.path,
                "url_params": {},
            }
        )
    except (OperationNotFoundError, UnknownServiceError) as error:
        sentence = f"The action {call.action} is not valid for this web service."
        raise AwsError("InvalidAction", sentence) from error
    except (ValueError, TypeError, AttributeError) as error:
        raise AwsError("InvalidParameterValue", f"A parameter is malformed: {error}") from error
    return parsed


def serialize_result(call: Call, result: dict[str, Any]) -> Response:
    """Return ``result`` (as boto3 returns it) in the protocol of the call's service."""
    model = get_service_model(call.service)
    serializer = get_serializer_class(call.service, PROTOCOLS[call.service])
    written = serializer(model.operation_model(call.action)).serialize(result)
    response = Response(written["body"], written["status_code"])
    response.headers["Content-Type"] = written["headers"].get("Content-Type", "text/xml")
    return response


def serialize_error(call: Call, error: AwsError) -> Response:
    """Return an error in the protocol of the call's service."""
    protocol = PROTOCOLS.get(call.service, "rest-xml")
    request_id = str(uuid.uuid4())
    if protocol == "json":
        body = json.dumps({"__type": error.code, "message": error.message})
        return Response(body, error.status, content_type="application/x-amz-json-1.1")
    code, message = escape(error.code), escape(error.message)
    element = f"<Code>{code}</Code><Message>{message}</Message>"
    templates = {
        "ec2": f"<Response><Errors><Error>{element}</Error></Errors>"
        f"<RequestID>{request_id}</RequestID></Response>",
        "query": f"<ErrorResponse><Error><Type>Sender</Type>{element}</Error>"
        f"<RequestId>{request_id}</RequestId></ErrorResponse>",
        "rest-xml": f"<Error>{element}<RequestId>{request_id}</RequestId></Error>",
    }
    return Response(templates[protocol], error.status, content_type="text/xml")


def garbage_response() -> Response:
    """Return a response that no client can parse."""
    return Response(GARBAGE, 200, content_type="text/xml")
