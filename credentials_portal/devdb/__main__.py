"""`python -m credentials_portal.devdb recreate`: replace the embedded database by an empty one."""

import sys

from credentials_portal.devdb import DevdbError, recreate_database

if sys.argv[1:] != ["recreate"]:
    sys.exit(__doc__)
try:
    recreate_database()
except DevdbError as error:
    sys.exit(str(error))
