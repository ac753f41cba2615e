"""What draws: each view is a Python class and its ES module side by side. Knows no torch and no network."""

from cnnwidgets.views.answer_view import AnswerView
from cnnwidgets.views.board_view import BoardView
from cnnwidgets.views.camera_view import CameraView
from cnnwidgets.views.chart_view import ChartView
from cnnwidgets.views.connections_view import ConnectionsView
from cnnwidgets.views.draw_view import DrawView
from cnnwidgets.views.findings_view import FindingsView
from cnnwidgets.views.heat_view import HeatView
from cnnwidgets.views.image_grid import ImageGrid
from cnnwidgets.views.image_view import ImageView
from cnnwidgets.views.map_table import Cell, MapTable
from cnnwidgets.views.matrix_view import MatrixView
from cnnwidgets.views.number_tables import NumberTable, NumberTables
from cnnwidgets.views.scatter_atlas import atlas
from cnnwidgets.views.scatter_view import ScatterView
from cnnwidgets.views.table_view import TableView
from cnnwidgets.views.view import View

__all__ = [
    "AnswerView",
    "BoardView",
    "CameraView",
    "Cell",
    "ChartView",
    "ConnectionsView",
    "DrawView",
    "FindingsView",
    "HeatView",
    "ImageGrid",
    "ImageView",
    "MapTable",
    "MatrixView",
    "NumberTable",
    "NumberTables",
    "ScatterView",
    "TableView",
    "View",
    "atlas",
]
