import pytest
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory, force_authenticate
from rest_framework.views import APIView

from accounts.permissions import IsLab
from accounts.testing import a_user

pytestmark = pytest.mark.django_db


class LabView(APIView):
    permission_classes = (IsLab,)

    def post(self, request: Request) -> Response:
        return Response()


@pytest.mark.parametrize(("role", "status"), [("lab", 200), ("admin", 200), ("user", 403)])
def test_the_lab_is_for_its_role_and_for_admins(role, status):
    request = APIRequestFactory().post("/")
    force_authenticate(request, a_user(role))

    answer = LabView.as_view()(request)

    assert answer.status_code == status
    assert status == 200 or answer.data["code"] == "role_required"


def test_the_lab_is_not_for_those_not_signed_in():
    answer = LabView.as_view()(APIRequestFactory().post("/"))

    assert (answer.status_code, answer.data["code"]) == (401, "not_authenticated")
