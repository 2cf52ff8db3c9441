"""The API, the pages and the log lines know the engine's stages and preferences, and no others."""

from lab.api.serializers import PipelineStatusOut
from sandbox.api.serializers import PreferencesIn
from sandbox.evaluation.jobs import LOG_TYPES
from sandbox.pages.texts import REJECTIONS, STAGES
from spot_optimizer.engine.inputs import Preferences
from spot_optimizer.engine.rejections import REASONS
from spot_optimizer.engine.stages import Stage


def test_all_tables_have_the_nine_stages_in_order():
    names = [stage.value for stage in Stage]

    assert list(STAGES) == names
    assert [str(stage) for stage in LOG_TYPES] == names
    assert list(PipelineStatusOut().fields)[2:11] == names


def test_the_page_has_a_text_for_each_rejection_reason():
    assert set(REJECTIONS) == set(REASONS) - {""}


def test_the_api_accepts_every_preference_of_the_engine():
    assert set(PreferencesIn().fields) == {*Preferences._fields, "auto_switch"}
