// What each vector width provides. One table a width, filled in kernels_<width>.cpp; chosen once, by `Ops`.
#pragma once
