"""Files of the heads that ship with the package; `meshes.registry` lists them, LICENCES.txt has their notices."""
